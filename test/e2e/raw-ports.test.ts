// Raw TCP to ports that no rule names, by clients that know of no proxy: what is refused is told with the rule that would allow it, and
// with that rule it works.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chown, readdir, readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { parse } from 'yaml';
import { rawServices } from '../clients/origin/raw.ts';
import { captureScene, closed, obstacle, users } from '../support/capture-scene.ts';
import { runCommand } from '../support/command.ts';
import { launcher } from '../support/program.ts';
import { findTool } from '../support/tools.ts';

type Services = Readonly<Record<'ssh' | 'postgres' | 'redis' | 'rsync', number>> & AsyncDisposable;

/** Each on a port that no rule names, as their usual ones are. */
async function services(): Promise<Services> {
  const servers: Server[] = [];
  const ports: Record<string, number> = {};
  for (const [name, [server]] of Object.entries(rawServices())) {
    server.listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    servers.push(server);
    ports[name] = (server.address() as AddressInfo).port;
  }
  const of = (name: string): number => ports[name] ?? 0;
  return {
    ssh: of('ssh'),
    postgres: of('postgres'),
    redis: of('redis'),
    rsync: of('rsync'),
    [Symbol.asyncDispose]: async () => void (await Promise.all(servers.map(closed))),
  };
}

interface Client {
  readonly tool: string;
  readonly host: string;
  readonly port: number;
  readonly command: string;
  /** What it prints once it is let through. */
  readonly expect: RegExp;
}

function clients(at: Services): readonly Client[] {
  const plain = `const socket = require("net").connect(${at.redis}, "grpc.test", () => socket.end("*1\\r\\n$4\\r\\nPING\\r\\n"));
    socket.on("error", (error) => console.log(error.code));
    socket.on("data", (data) => console.log("plain " + data));`;
  const all: readonly Client[] = [
    {
      tool: 'psql',
      host: 'db.test',
      port: at.postgres,
      command: `PGCONNECT_TIMEOUT=20 psql --no-psqlrc --no-password -t -c 'select 1' 'host=db.test port=${at.postgres} user=example dbname=example gssencmode=disable'`,
      expect: /hello from postgres/,
    },
    {
      tool: 'redis-cli',
      host: 'api.test',
      port: at.redis,
      command: `redis-cli -h api.test -p ${at.redis} PING`,
      expect: /^PONG$/m,
    },
    {
      tool: 'rsync',
      host: 'allowed.test',
      port: at.rsync,
      command: `rsync rsync://allowed.test:${at.rsync}/`,
      expect: /hello from rsync/,
    },
    {
      tool: 'git',
      host: 'git.test',
      port: at.ssh,
      command: `GIT_SSH_COMMAND='ssh -v -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=no -o ConnectTimeout=20' git ls-remote ssh://git@git.test:${at.ssh}/a/b.git`,
      expect: /remote software version UpstreamproxyFixture/,
    },
    {
      tool: 'node',
      host: 'grpc.test',
      port: at.redis,
      command: `'${process.execPath}' -e '${plain}'`,
      expect: /^plain \+PONG/m,
    },
  ];
  return all.filter(({ tool }) => tool === 'node' || findTool(tool) !== undefined);
}

for (const user of users) {
  test(
    `${user.name}: raw TCP to a port that no rule names is told at the end and in the audit, and the rule that is learnt of it lets it through`,
    { skip: obstacle(user) },
    async (context) => {
      await using at = await services();
      await using scene = await captureScene(user);
      const all = clients(at);
      context.diagnostic(`clients: ${all.map(({ tool }) => tool).join(', ')}`);
      const script = all.map(({ command }) => `${command} </dev/null 2>&1; true`).join('\n');
      const refused = await scene.run([], script);
      const audit = await auditOf(scene.directory);
      for (const { host, port, expect } of all) {
        assert.doesNotMatch(refused.stdout, expect);
        const rule = `{ name: ${host.replace('.', '-')}-tcp-${port}, hosts: ${host}, scheme: tcp, ports: ${port} }`;
        assert.ok(
          refused.stderr.includes(`a connection to ${host}:${port}: protocol_denied`),
          refused.stderr,
        );
        assert.ok(refused.stderr.includes(`the rule that would allow it: ${rule}\n`), refused.stderr);
        const event = audit.events.find((one) => one['host'] === host && one['port'] === port);
        assert.deepEqual([event?.['errorCode'], event?.['verdict']], ['protocol_denied', 'deny']);
      }
      const learnt = await runCommand(launcher, ['policy', 'learn', audit.file]);
      assert.equal(learnt.code, 0, learnt.stderr);
      await usePolicy(join(scene.directory, 'policy.yaml'), learnt.stdout, user.uid);
      const allowed = await scene.run([], script);
      for (const { expect } of all) assert.match(allowed.stdout, expect, allowed.stderr);
      assert.doesNotMatch(allowed.stderr, /refused in this run/);
    },
  );
}

async function auditOf(
  directory: string,
): Promise<{ readonly file: string; readonly events: readonly Readonly<Record<string, unknown>>[] }> {
  const runs = join(directory, 'upstreamproxy', 'runs');
  const [run = ''] = await readdir(runs);
  const file = join(runs, run, 'audit.jsonl');
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  return { file, events: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

/** As its text says: the marks are taken away, and the brackets. That the servers are on this machine is what the test adds. */
async function usePolicy(path: string, proposal: string, uid: number): Promise<void> {
  const unmarked = proposal.replace(/^rules: \[\]/m, 'rules:').replaceAll(/^ {2}# - \{/gm, '  - {');
  const { rules } = parse(unmarked) as { readonly rules: readonly object[] };
  const local = rules.map((rule) => Object.assign(rule, { addresses: ['127.0.0.1/32'] }));
  await writeFile(path, JSON.stringify({ rules: local }));
  if (process.geteuid?.() === 0) await chown(path, uid, uid);
}
