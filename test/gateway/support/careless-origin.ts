// Origins of HTTP/1.1 that treat the body of a request as such servers do: some never read it, and serve its octets as
// requests. They keep a list of what they served, whatever became of the response.

import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:tls';

import type { TestAuthority } from '../../support/test-authority.ts';

/** What becomes of a body. `continues`: 100 is sent, and the body is not read all the same. */
export const carelessHabits = [
  'reads',
  'ignores',
  'continues',
  'reads late',
  'reads half',
  'closes',
] as const;
export type CarelessHabit = (typeof carelessHabits)[number];

export interface ServedRequest {
  readonly method: string;
  readonly target: string;
  readonly head: string;
}

export interface CarelessOrigin extends AsyncDisposable {
  readonly port: number;
  /** In the order in which they were served. */
  readonly served: readonly ServedRequest[];
  connections(): number;
}

/** `habitOf` is asked once for each connection, by its number. */
export async function carelessOrigin(
  authority: TestAuthority,
  habitOf: (connection: number) => CarelessHabit,
): Promise<CarelessOrigin> {
  const served: ServedRequest[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const identity = { ...authority.issue('allowed.test'), ALPNProtocols: ['http/1.1'] };
  const server = createServer(identity, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    serve(socket, habitOf(connections), served);
    connections += 1;
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // It listens on an address and a port.
    port: (server.address() as AddressInfo).port,
    served,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

const requestLine = /^([A-Z]+) (\S+) HTTP\/1\.[01]\r\n/;

function serve(socket: Socket, habit: CarelessHabit, served: ServedRequest[]): void {
  let text = '';
  let bodyLeft = 0;
  let isOver = false;
  const respond = (): void => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    while (!isOver) {
      if (bodyLeft > 0) {
        const taken = Math.min(bodyLeft, text.length);
        text = text.slice(taken);
        bodyLeft -= taken;
        if (bodyLeft > 0) return;
        if (habit === 'reads') respond();
      }
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = text.slice(0, end + 4);
      text = text.slice(end + 4);
      const [, method = '', target = ''] = requestLine.exec(head) ?? [];
      if (method === '') {
        isOver = true;
        socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
        return;
      }
      served.push({ method, target, head });
      isOver = habit === 'closes' || /^connection: *close\r$/im.test(head);
      bodyLeft = bodyToRead(head, habit);
      if (habit === 'continues') socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      // What is read at all is read behind the response, but for the one that reads as it should.
      if (habit !== 'reads' || bodyLeft === 0 || isOver) respond();
      if (isOver) socket.end();
    }
  });
}

/** Chunks are beyond the careless ones: they see what stands there. */
function bodyToRead(head: string, habit: CarelessHabit): number {
  const length = Number(/^content-length: *(\d+)\r$/im.exec(head)?.[1] ?? 0);
  if (habit === 'reads' || habit === 'reads late') return length;
  return habit === 'reads half' ? Math.floor(length / 2) : 0;
}
