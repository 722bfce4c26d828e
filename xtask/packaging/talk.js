// What every project does: enters a room, says something there, and gives what comes of it.

import * as tidewire from "tidewire";
import { chat } from "./chat.schema.js";

export async function talk(url, token, { connect = tidewire.connect, ...options } = {}) {
  const live = connect(chat, { url, token, onError: () => {}, ...options });
  try {
    const room = live.subscribe(`chat:${token}`);
    await room.ready;
    await room.publish({ text: "hello" });
    for await (const { user, text } of room) return `${user}: ${text}`;
  } finally {
    live.close();
  }
}
