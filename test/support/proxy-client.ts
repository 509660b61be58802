// A client of the relay: CONNECT, TLS, and one HTTP/1.1 request, with the socket in the test's hands.

import { once } from 'node:events';
import https from 'node:https';
import type { IncomingMessage } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

export interface ProxyTarget {
  readonly relayPort: number;
  readonly host: string;
  readonly port: number;
  /** PEM that the client trusts: the gateway's authority. */
  readonly ca: string;
}

/** Asks the relay for a tunnel by CONNECT. Gives the socket behind the response. */
export async function connectThrough({ relayPort, host, port }: ProxyTarget): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port: relayPort });
  // What breaks it is told by what is asked of it; in between nobody else may listen.
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`);
  const [response] = (await once(socket, 'data')) as [Buffer];
  // The relay sends nothing behind its head before the client speaks.
  if (!/^HTTP\/1\.1 200 [^\n]*\r\n\r\n$/.test(response.toString('latin1'))) {
    socket.destroy();
    throw new Error(`the relay responded with ${response.toString('latin1')}`);
  }
  return socket;
}

/** TLS with the gateway, through the relay. */
export async function tlsThrough(
  target: ProxyTarget,
  protocol: 'http/1.1' | 'h2' = 'http/1.1',
): Promise<TLSSocket> {
  const socket = await connectThrough(target);
  const tls = connectTls({ socket, servername: target.host, ca: target.ca, ALPNProtocols: [protocol] });
  tls.on('error', () => undefined);
  await once(tls, 'secureConnect');
  return tls;
}

/** An agent that keeps one connection to the target, for `https.request`. */
export async function agentThrough(target: ProxyTarget): Promise<https.Agent> {
  const socket = await tlsThrough(target);
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  let given = false;
  // The documented hook: whatever the agent calls a new connection is the one that stands already.
  agent.createConnection = () => {
    if (given) throw new Error('the connection was closed');
    given = true;
    return socket;
  };
  return agent;
}

/** One request; gives the response with its head read and its body not. */
export async function requestThrough(
  agent: https.Agent,
  target: ProxyTarget,
  options: { readonly method?: string; readonly path: string; readonly body?: AsyncIterable<Uint8Array> },
): Promise<IncomingMessage> {
  const { method = 'GET', path, body } = options;
  const request = https.request({ agent, host: target.host, port: target.port, method, path });
  const responded = once(request, 'response') as Promise<[IncomingMessage]>;
  // Its connection may break while the body waits, or behind the head of the response: whoever asks next is told.
  responded.catch(() => undefined);
  request.on('error', () => undefined);
  if (body === undefined) request.end();
  else {
    for await (const chunk of body) {
      if (!request.write(chunk)) await Promise.race([once(request, 'drain'), responded]);
    }
    request.end();
  }
  const [response] = await responded;
  return response;
}
