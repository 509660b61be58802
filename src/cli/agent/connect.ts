// `upstreamproxy connect`: standard input and output to a destination, for `ProxyCommand` of ssh and its like.

import { pipeline } from 'node:stream/promises';
import { relayAddressOf } from '../../agent/relay/relay-address.ts';
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
    relay: relayAddressOf(relay, environment),
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

export const connectCommand = commandOf(connectDefinition, connect);
