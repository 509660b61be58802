// Frames of a WebSocket with less than 126 bytes (RFC 6455 §5.2).

/** As a client sends it; the mask of zeros changes nothing. */
export function clientFrame(text: string): Buffer {
  return Buffer.concat([Buffer.of(0x81, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)]);
}

/** As a server sends it. */
export function serverFrame(text: string): Buffer {
  return Buffer.concat([Buffer.of(0x81, text.length), Buffer.from(text)]);
}

/** What a server that echoes sends back for one frame of `clientFrame`. */
export function echoed(frame: Buffer): Buffer {
  return serverFrame(frame.subarray(6).toString());
}
