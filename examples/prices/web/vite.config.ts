import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  server: {
    // `npm run dev` beside `cargo run -p tidewire-prices`.
    proxy: { "/ws": { target: "http://127.0.0.1:3000", ws: true }, "/line": { target: "http://127.0.0.1:3000", ws: true } },
  },
});
