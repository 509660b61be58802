// A receiver of syslog over TLS for tests, which reads frames (RFC 5425) and messages (RFC 5424) strictly.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import type { TestAuthority } from './test-authority.ts';

export interface SyslogMessage {
  readonly facility: number;
  readonly severity: number;
  readonly timestamp: string;
  readonly hostname: string;
  readonly application: string;
  readonly processId: string;
  readonly messageId: string;
  readonly dataId: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly text: string | undefined;
}

/** @throws Error for what RFC 5424 §6 does not have */
export function readSyslog(message: string): SyslogMessage {
  const head =
    /^<(\d{1,3})>1 (\S+) ([\x21-\x7e]{1,255}) ([\x21-\x7e]{1,48}) ([\x21-\x7e]{1,128}) ([\x21-\x7e]{1,32}) \[([\x21-\x7e]{1,32})/.exec(
      message,
    );
  if (head === null) throw new Error(`no head of a message: ${message}`);
  const [
    whole,
    priority = '',
    timestamp = '',
    hostname = '',
    application = '',
    processId = '',
    messageId = '',
  ] = head;
  const parameters: Record<string, string> = {};
  let rest = message.slice(whole.length);
  while (rest.startsWith(' ')) {
    const parameter = /^ ([\x21-\x7e]{1,32}?)="((?:[^"\\\]]|\\["\\\]])*)"/.exec(rest);
    if (parameter === null) throw new Error(`no parameter: ${rest}`);
    const [all, name = '', value = ''] = parameter;
    parameters[name] = value.replace(/\\(["\\\]])/g, '$1');
    rest = rest.slice(all.length);
  }
  if (!/^\](?: |$)/.test(rest)) throw new Error(`no end of the structured data: ${rest}`);
  return {
    facility: Math.floor(Number(priority) / 8),
    severity: Number(priority) % 8,
    timestamp,
    hostname,
    application,
    processId,
    messageId,
    dataId: head[7] ?? '',
    parameters,
    text: rest === ']' ? undefined : rest.slice(2),
  };
}

/** Messages of whole frames, and what is left. @throws Error for what is no frame */
export function readFrames(octets: Buffer): { readonly messages: readonly string[]; readonly rest: Buffer } {
  const messages: string[] = [];
  let rest = octets;
  for (;;) {
    const space = rest.indexOf(' ');
    if (space < 0) return { messages, rest };
    const digits = rest.subarray(0, space).toString('latin1');
    if (!/^[1-9]\d*$/.test(digits)) throw new Error(`no length of a message: ${digits}`);
    const end = space + 1 + Number(digits);
    if (rest.length < end) return { messages, rest };
    messages.push(rest.subarray(space + 1, end).toString());
    rest = rest.subarray(end);
  }
}

export interface SyslogReceiver extends AsyncDisposable {
  readonly port: number;
  readonly messages: readonly SyslogMessage[];
  readonly sockets: ReadonlySet<TLSSocket>;
  /** How many connections it ever took. */
  readonly connections: () => number;
  until(holds: () => boolean): Promise<void>;
}

/** `onConnection` takes the place of its reading. */
export async function syslogReceiver(
  authority: TestAuthority,
  onConnection?: (socket: TLSSocket) => void,
): Promise<SyslogReceiver> {
  const messages: SyslogMessage[] = [];
  const sockets = new Set<TLSSocket>();
  const waiting = new Set<() => void>();
  const faults: unknown[] = [];
  let connections = 0;
  const server = createServer(authority.issue('127.0.0.1'), (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    if (onConnection !== undefined) {
      onConnection(socket);
      return;
    }
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      try {
        const read = readFrames(Buffer.concat([rest, chunk]));
        rest = Buffer.from(read.rest);
        messages.push(...read.messages.map(readSyslog));
      } catch (error) {
        faults.push(error);
      }
      for (const look of waiting) look();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    messages,
    sockets,
    connections: () => connections,
    until: async (holds) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = (): void => {
        if (faults.length > 0) reject(faults[0]);
        else if (holds()) resolve();
      };
      waiting.add(look);
      look();
      await promise.finally(() => waiting.delete(look));
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
