// `upstreamproxy connect`: standard input and output to a destination, for `ProxyCommand` of ssh and its like.

import { pipeline } from 'node:stream/promises';
import { connectThroughRelay } from '../../agent/relay/connect-through-relay.ts';
import { formatAuthority, parseAuthority } from '../../http/authority.ts';
import { ProxyError } from '../../protocol/error.ts';
import { numberOption, parseOptions, type Command } from '../terminal/command.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

/** The gateway responds when the origin did; a name that does not resolve takes the longest. */
const timeoutSecondsDefault = 60;

const usage = `upstreamproxy connect [options] HOST PORT

Connects its standard input and output to HOST:PORT through the relay; the policy needs a rule for raw TCP, or for
what is spoken there. For ssh: ProxyCommand upstreamproxy connect %h %p

  --relay URL           the relay; default: the proxy of the environment (https_proxy, HTTPS_PROXY)
  --timeout SECONDS     how long to wait for the connection; default ${String(timeoutSecondsDefault)}
`;

async function connect(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions('connect', args, {
    relay: { type: 'string' },
    timeout: { type: 'string' },
  });
  const [host, port, ...rest] = positionals;
  if (host === undefined || port === undefined || rest.length > 0)
    throw new ProxyError('usage', 'name host and port: upstreamproxy connect HOST PORT');
  const environment = workloadEnvironment(process.env);
  const bounds = { min: 1, max: 3_600, otherwise: timeoutSecondsDefault };
  const socket = await connectThroughRelay({
    relay: relayAddress(values.relay ?? environment['https_proxy'] ?? environment['HTTPS_PROXY']),
    authority: formatAuthority(parseAuthority(`${host.includes(':') ? `[${host}]` : host}:${port}`)),
    timeoutMs: numberOption('timeout', values.timeout, bounds) * 1_000,
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

export const connectCommand: Command = { usage, run: connect };
