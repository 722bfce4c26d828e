// One WebSocket, reduced to what the driver needs; events of a socket that was dropped never arrive.

/** The subprotocol by which a server knows this client and answers refusals with close codes. */
const SUBPROTOCOL = "tidewire.1";

/** A WebSocket class: the browser's, Node's from version 22, or that of the package `ws`. */
export type WebSocketConstructor = new (
  url: string,
  protocols: string[],
) => { send(data: string): void; close(code?: number, reason?: string): void };

/** Who hears of a socket. @internal */
export interface SocketSink {
  readonly opened: () => void;
  /** A message: a string, or something else that no server of this protocol sends. */
  readonly heard: (data: unknown) => void;
  /** The end, also where it was never opened. Comes once and last. */
  readonly ended: (code: number, reason: string) => void;
}

/** One socket. @internal */
export interface Socket {
  send(text: string): void;
  /** Ends the connection; nothing of it is heard afterwards. Browsers let a page send 1000, and codes from 3000 on. */
  close(code: number): void;
}

/** Opens a socket; throws what its class throws, as where a page may not go. @internal */
export type Dial = (sink: SocketSink) => Socket;

/** How to reach a server with a WebSocket class. @internal */
export const dialer = (Class: WebSocketConstructor, url: string): Dial => (sink) => {
  const socket = new Class(url, [SUBPROTOCOL]) as WebSocket;
  const silence = () => {
    socket.onopen = socket.onmessage = socket.onclose = null;
  };
  socket.onopen = sink.opened;
  socket.onmessage = (event: MessageEvent<unknown>) => sink.heard(event.data);
  socket.onclose = (event: CloseEvent) => {
    silence();
    sink.ended(event.code, event.reason);
  };
  // Says nothing that onclose does not say, but where it has no listener the package `ws` throws.
  socket.onerror = () => {};
  return {
    send: (text) => {
      // A browser writes an error to the console for each message to a socket that is closing.
      if (!(socket.readyState > 1)) socket.send(text);
    },
    close: (code) => {
      silence();
      socket.close(code);
    },
  };
};
