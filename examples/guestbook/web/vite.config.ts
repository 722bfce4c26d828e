import { defineConfig } from "vite";

export default defineConfig({
  server: {
    // `npm run dev` beside `cargo run -p tidewire-guestbook`.
    proxy: { "/ws": { target: "http://127.0.0.1:3000", ws: true } },
  },
});
