// `upstreamproxy connect`: standard input and output to a destination, for `ProxyCommand` of ssh and its like.

import { pipeline } from 'node:stream/promises';
import { connectThroughRelay } from '../../agent/relay/connect-through-relay.ts';
import { formatAuthority, parseAuthority } from '../../http/authority.ts';
import { ProxyError } from '../../protocol/error.ts';
import { connectDefinition } from '../commands/connect-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { commandOf } from '../terminal/command.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

async function connect(input: Input<typeof connectDefinition>): Promise<number> {
  const { relay, timeout } = input.options;
  const { HOST: host, PORT: port } = input.arguments;
  const environment = workloadEnvironment(process.env);
  const socket = await connectThroughRelay({
    relay: relayAddress(relay ?? environment['https_proxy'] ?? environment['HTTPS_PROXY']),
    authority: formatAuthority(parseAuthority(`${host.includes(':') ? `[${host}]` : host}:${port}`)),
    timeoutMs: timeout * 1_000,
  });
  try {
    // Each direction ends by itself: a client that has said everything may still be listening.
    const up = pipeline(process.stdin, socket, { end: true });
    // Who reads nothing any more ends it; what the far end breaks is told by the other direction.
    up.catch(() => {});
    await pipeline(socket, process.stdout, { end: false });
    return 0;
  } catch (error) {
    if (isBrokenPipe(error)) return 0;
    throw new ProxyError('stream_reset', `the connection to ${host}:${port} broke`, { cause: error });
  } finally {
    socket.destroy();
  }
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}

/** `http://host:port`, as the environment has it, or `host:port`. Throws usage. */
function relayAddress(text: string | undefined): { host: string; port: number } {
  if (text === undefined)
    throw new ProxyError('usage', 'no relay: give --relay URL, or set https_proxy to it');
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url === null || url.protocol !== 'http:' || url.hostname === '')
    throw new ProxyError('usage', 'the relay is an address of the form http://127.0.0.1:PORT');
  const port = url.port === '' ? 80 : Number(url.port);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port };
}

export const connectCommand = commandOf(connectDefinition, connect);
