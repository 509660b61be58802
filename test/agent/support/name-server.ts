// A name server for the agent's tests: on loopback, with a few names.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { dnsCode, dnsType, readDnsRequest, writeDnsReply } from '../../../src/agent/capture/dns-message.ts';

export interface NameServer extends AsyncDisposable {
  readonly port: number;
  /** Names of questions for addresses of version 4, in their order. */
  readonly asked: readonly string[];
}

export async function nameServer(names: Readonly<Record<string, string>>): Promise<NameServer> {
  const asked: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (message, peer) => {
    const request = readDnsRequest(message);
    if (request.kind !== 'query') return;
    const { query } = request;
    const address = names[query.name];
    if (query.type === dnsType.a) asked.push(query.name);
    const data = Uint8Array.from((address ?? '').split('.').map(Number));
    const records =
      address !== undefined && query.type === dnsType.a ? [{ type: dnsType.a, ttlSeconds: 0, data }] : [];
    const code = address === undefined ? dnsCode.noSuchName : dnsCode.noError;
    socket.send(writeDnsReply(query, code, records), peer.port, peer.address);
  });
  socket.bind({ address: '127.0.0.1', port: 0 });
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    asked,
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, 'close');
    },
  };
}
