// What code in the container tries on its own, without the relay: every way out, and what came of it, as JSON.
// node egress-script.ts PORT ADDRESS, the one place that may be reached.

import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { connect } from 'node:net';

/** Of what must not respond. The way that is open has as long as the machine needs. */
const deadlineMs = 1_500;
const [, , port = '', address = ''] = process.argv;

function tcp(host: string, to: number, withinMs = deadlineMs): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ host, port: to });
  socket.once('connect', () => resolve('reached'));
  socket.once('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
  setTimeout(() => resolve('ETIMEDOUT'), withinMs).unref();
  return promise.finally(() => socket.destroy());
}

/** A datagram that the kernel takes is one that goes out. */
function udp(host: string, to: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.once('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
  socket.send('x', to, host, (error) => {
    // What Node says of a failed send has its code.
    resolve(error === null ? 'sent' : ((error as Error & { code?: string }).code ?? error.message));
  });
  return promise.finally(() => socket.close());
}

async function name(): Promise<string> {
  const resolver = new Resolver({ timeout: deadlineMs, tries: 1 });
  try {
    return String(await resolver.resolve4('allowed.test'));
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'failed';
  }
}

function curl(): string {
  const args = ['--noproxy', '*', '-sS', '--max-time', '2', '-o', '/dev/null', 'http://203.0.113.10/'];
  const { status, error } = spawnSync('curl', args, { env: { PATH: process.env['PATH'] ?? '' } });
  if (error !== undefined) return 'ENOENT';
  return status === 0 ? 'reached' : 'EFAILED';
}

console.log(
  JSON.stringify({
    gateway: await tcp(address, Number(port), 60_000),
    'TCP 443': await tcp('203.0.113.10', 443),
    'TCP to the name server': await tcp('203.0.113.53', 853),
    'TCP to metadata': await tcp('169.254.169.254', 80),
    'TCP over IPv6': await tcp('2001:db8::1', 443),
    'UDP 443': await udp('203.0.113.10', 443),
    'UDP 53': await udp('203.0.113.53', 53),
    'UDP over IPv6': await udp('2001:db8::1', 443),
    'DNS by the system': await name(),
    'curl --noproxy': curl(),
  }),
);
