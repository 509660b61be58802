// What the gateway costs a client of Redis: redis-benchmark straight to a server over TLS, and through the gateway from the jail, one command at
// a time and sixteen in one go. Rounds in turns; what counts is the ratio of a round.
// node bench/redis.ts [--rounds N] [--requests N] [--clients N]

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { host, password, startRedisServer } from '../test/protocol-ends/support/redis-scene.ts';
import { temporaryDirectory } from '../test/support/temporary-directory.ts';
import { median } from './report/statistics.ts';

const program = fileURLToPath(new URL('../bin/upstreamproxy', import.meta.url));
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    requests: { type: 'string', default: '50000' },
    clients: { type: 'string', default: '8' },
  },
});

await using stack = new AsyncDisposableStack();
const folder = stack.use(await temporaryDirectory());
const { server, caPem } = stack.use(await startRedisServer());
const port = String(server.port);
const at = (name: string): string => join(folder.path, name);
writeFileSync(at('ca.pem'), caPem);
writeFileSync(at('password'), `${password}\n`, { mode: 0o600 });
writeFileSync(
  at('policy.yaml'),
  `version: 1\nrules: [{ name: cache, hosts: ${host}, ports: ${port}, addresses: 127.0.0.1/32, protocol: redis, inject: cache-login, trust: own }]\n`,
);
writeFileSync(
  at('gateway.yaml'),
  `listen: { address: 127.0.0.1, port: 8443 }\npublicNames: [localhost]\nstateDirectory: state\npolicy: policy.yaml\ncredentials:\n  cache-login: { kind: login, username: agent, source: { file: password } }\ntrust:\n  own: { file: ca.pem }\nupstream:\n  hosts: { ${host}: 127.0.0.1 }\n`,
);

/** GET and SET together, commands a second. */
async function run(command: readonly string[]): Promise<number> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    env: { PATH: process.env['PATH'], HOME: folder.path },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const rates = [...out.matchAll(/^"[GS]ET","([0-9.]+)"/gm)].map(([, rate]) => Number(rate));
  if (rates.length !== 2) throw new Error(`${out}${err}`);
  return 2 / rates.reduce((sum, rate) => sum + 1 / rate, 0);
}

const asked = ['-t', 'get,set', '--csv', '-n', values.requests, '-c', values.clients];
const straight = ['redis-benchmark', '-h', '127.0.0.1', '-p', port, '--user', 'agent', '-a', password];
const tls = ['--tls', '--sni', host, '--cacert', at('ca.pem')];
const inJail = [program, 'run', '--config', at('gateway.yaml'), '--', 'redis-benchmark', '-h', host];

for (const atOnce of ['1', '16']) {
  const more = [...asked, '-P', atOnce];
  const ratios: number[] = [];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const first = await run([...straight, ...tls, ...more]);
    const through = await run([...inJail, '-p', port, ...more]);
    ratios.push(through / first);
    console.log(
      `${atOnce} at once, round ${String(round + 1)}: straight ${first.toFixed(0)} commands a second, gateway ${through.toFixed(0)} (${(through / first).toFixed(2)})`,
    );
  }
  console.log(`${atOnce} at once: ${median(ratios).toFixed(2)} of straight`);
}
