// What the gateway costs a client of PostgreSQL: pgbench straight to a server over TLS, through PgBouncer on sockets of the machine, and through
// the gateway from the jail, by a rule that reads no statements and by one that does. Rounds in turns; what counts is the ratio of a round.
// node bench/postgres.ts [--rounds N] [--seconds N] [--clients N]

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { host, password, startServer } from '../test/protocol-ends/support/postgres-scene.ts';
import { startPooler } from '../test/support/pgbouncer.ts';
import { temporaryDirectory } from '../test/support/temporary-directory.ts';
import { median } from './report/statistics.ts';

const program = fileURLToPath(new URL('../bin/upstreamproxy', import.meta.url));
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    clients: { type: 'string', default: '4' },
  },
});

await using stack = new AsyncDisposableStack();
const folder = stack.use(await temporaryDirectory());
const started = stack.use(await startServer());
const pooler = stack.use(await startPooler(started.server, 'session'));
const port = String(started.server.port);
const at = (name: string): string => join(folder.path, name);
writeFileSync(at('ca.pem'), started.caPem);
writeFileSync(at('password'), `${password}\n`, { mode: 0o600 });

function writeGateway(name: string, more: string): string {
  const rule = `name: orders-db, hosts: ${host}, ports: ${port}, addresses: 127.0.0.1/32, protocol: postgres, postgres: { databases: orders${more} }, inject: orders-login, trust: own`;
  writeFileSync(at(`${name}-policy.yaml`), `version: 1\nrules: [{ ${rule} }]\n`);
  const config = at(`${name}.yaml`);
  writeFileSync(
    config,
    `listen: { address: 127.0.0.1, port: 8443 }\npublicNames: [localhost]\nstateDirectory: state\npolicy: ${name}-policy.yaml\ncredentials:\n  orders-login: { kind: login, username: agent, source: { file: password } }\ntrust:\n  own: { file: ca.pem }\nupstream:\n  hosts: { ${host}: 127.0.0.1 }\n`,
  );
  return config;
}

/** Transactions a second. */
async function run(command: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    env: { PATH: process.env['PATH'], HOME: folder.path, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const [, tps] = /tps = ([0-9.]+)/.exec(out) ?? [];
  if (tps === undefined) throw new Error(`${out}${err}`);
  return Number(tps);
}

const asked = ['-n', '-S', '-T', values.seconds, '-c', values.clients, '-M', 'prepared'];
const straight = {
  PGHOST: '127.0.0.1',
  PGPORT: port,
  PGUSER: 'agent',
  PGPASSWORD: password,
  PGSSLMODE: 'require',
};
const inJail = (config: string): readonly string[] => [
  program,
  'run',
  '--config',
  config,
  '--',
  'pgbench',
  ...asked,
  '-h',
  host,
  '-p',
  port,
  'orders',
];
const ways: Readonly<Record<string, () => Promise<number>>> = {
  straight: () => run(['pgbench', ...asked, 'orders'], straight),
  pgbouncer: () => run(['pgbench', ...asked, pooler.url('orders')], {}),
  gateway: () => run(inJail(writeGateway('plain', '')), {}),
  'gateway that reads statements': () => run(inJail(writeGateway('reads', ', statements: select')), {}),
};

const initial = spawn('pgbench', ['-i', '-q', 'orders'], {
  env: { PATH: process.env['PATH'], ...straight },
  stdio: 'ignore',
});
await once(initial, 'close');
const seen = new Map<string, number[]>();
for (let round = 0; round < Number(values.rounds); round += 1) {
  const first = (await ways['straight']?.()) ?? 0;
  console.log(`round ${String(round + 1)}: straight ${first.toFixed(0)} transactions a second`);
  for (const [name, way] of Object.entries(ways).slice(1)) {
    const tps = await way();
    seen.set(name, [...(seen.get(name) ?? []), tps / first]);
    console.log(`  ${name} ${tps.toFixed(0)} (${(tps / first).toFixed(2)} of straight)`);
  }
}
for (const [name, ratios] of seen) console.log(`${name}: ${median(ratios).toFixed(2)} of straight`);
