// The resolver on its sockets: UDP, and TCP with a length before each message (RFC 1035 §4.2.2, RFC 7766).

import { defaultLimits } from '../../protocol/limits.ts';
import type { Socket as UdpSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import type { FakeAddresses } from './fake-addresses.ts';
import { answerDns } from './resolver.ts';

/** Answers what comes on the socket, from addresses that are served, until it is closed. */
export function serveUdpResolver(
  socket: UdpSocket,
  addresses: FakeAddresses,
  isServed: (address: string) => boolean,
): void {
  let sending = 0;
  // A client that is gone before its answer is no fault of anybody.
  socket.on('error', () => {});
  socket.on('message', (message, { port, address }) => {
    if (sending >= defaultLimits.captureDnsWaitingMax || !isServed(address)) return;
    const reply = answerDns(message, addresses);
    if (reply === undefined) return;
    sending += 1;
    socket.send(reply, port, address, () => {
      sending -= 1;
    });
  });
}

/** Serves one connection to its end. */
export function serveTcpResolver(socket: Socket, addresses: FakeAddresses): void {
  let received: Buffer = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('drain', () => socket.resume());
  socket.on('end', () => socket.end());
  socket.setTimeout(defaultLimits.captureDnsIdleTimeoutMs, () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    while (received.length >= 2) {
      const length = received.readUInt16BE(0);
      if (length > defaultLimits.captureDnsRequestBytesMax) return void socket.destroy();
      if (received.length < 2 + length) break;
      const reply = answerDns(received.subarray(2, 2 + length), addresses);
      if (reply === undefined) return void socket.destroy();
      received = received.subarray(2 + length);
      const prefix = Buffer.alloc(2);
      prefix.writeUInt16BE(reply.length);
      if (!socket.write(Buffer.concat([prefix, reply]))) socket.pause();
    }
  });
}
