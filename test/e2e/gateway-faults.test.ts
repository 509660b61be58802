// Several gateways as one service while one part of it is at fault: the database away from one alone, a wrong clock, a full disk, programs of two
// versions. Of `npm run test:cluster`.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, open, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';

import { cuttingRelay } from '../support/cutting-relay.ts';
import { earlierProgram, noHistory } from '../support/earlier-program.ts';
import { openFleet } from '../support/gateway-fleet.ts';
import { askUntil, load, targetsAt } from '../support/fleet-load.ts';
import type { Asking } from '../support/long-exchanges.ts';
import { postgresBinaries, startPostgres } from '../support/postgres-server.ts';
import { launcher, mainFile, waitUntil } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const binaries = postgresBinaries();
const isWhole = process.env['UPSTREAMPROXY_CLUSTER_EACH'] !== undefined;
const skip = 'missing' in binaries ? binaries.missing : isWhole ? false : 'of npm run test:cluster';
const each = Number(process.env['UPSTREAMPROXY_CLUSTER_EACH'] ?? 1);
const faultMs = 1000 * Number(process.env['UPSTREAMPROXY_CLUSTER_OUTAGE_SECONDS'] ?? 1);
const bodyBytes = 300_000;

const tcpAccess = { access: ['host all all 127.0.0.1/32 trust'] };

test(
  'scenario e: a gateway that is cut from the database alone goes on, and says so',
  { skip },
  async (t) => {
    await using stack = new AsyncDisposableStack();
    const database = stack.use(await startPostgres(tcpAccess));
    const between = stack.use(await cuttingRelay());
    between.leadTo(database.port);
    const fleet = stack.use(
      await openFleet(2, {
        database,
        storeUrl: (number) =>
          number === 1 ? `postgres://postgres@127.0.0.1:${between.port}/state` : undefined,
      }),
    );
    const targets = await targetsAt(fleet, 0, 1);
    using running = await load(fleet, targets, { each, bodyBytes });
    between.cut(Number.POSITIVE_INFINITY);
    await waitUntil('it says so', async () => ((await fleet.readiness(1))?.text ?? '').includes('degraded'));
    assert.deepEqual(await fleet.readiness(0), { status: 200, text: 'ready\n' });
    await wait(faultMs);
    // An agent whose tunnel breaks meanwhile comes back, to either.
    fleet.balancer.close();
    fleet.balancer.open();
    await wait(faultMs / 4);
    between.cut(0);
    await waitUntil('it is back', async () => (await fleet.readiness(1))?.text === 'ready\n');
    const { asked, failed, slowestMs } = await running.stop();
    t.diagnostic(
      `e: ${asked} exchanges while one of two gateways had no database for ${(1.25 * faultMs) / 1000} s, ${failed.length} failed; the slowest short one took ${slowestMs} ms`,
    );
    assert.deepEqual(failed, []);
    assert.deepEqual(await fleet.check(), []);
  },
);

const faketime = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
const noFaketime = existsSync(faketime) ? false : 'no libfaketime here (apt-get install libfaketime)';
const skewSeconds = 30;

/** A program that is started as the launcher is, with something before it. */
async function wrapper(directory: string, ...lines: readonly string[]): Promise<string> {
  const file = join(directory, `program-${randomUUID()}`);
  await writeFile(file, ['#!/bin/sh', 'set -eu', ...lines, ''].join('\n'));
  await chmod(file, 0o755);
  return file;
}

/** Without the launcher, which takes such variables away. */
function atTime(directory: string, skew: string): Promise<string> {
  return wrapper(
    directory,
    'for argument do shift; set -- "$@" "=$argument"; done',
    `export LD_PRELOAD=${faketime} FAKETIME=${skew} FAKETIME_DONT_FAKE_MONOTONIC=1`,
    `exec ${process.execPath} --disable-sigusr1 --disable-warning=ExperimentalWarning ${mainFile} "$@"`,
  );
}

test(
  'scenario f: a gateway whose clock is half a minute ahead, or behind, serves sessions of the others',
  { skip: skip === false ? noFaketime : skip },
  async (t) => {
    await using directory = await temporaryDirectory();
    for (const skew of [`+${skewSeconds}s`, `-${skewSeconds}s`]) {
      const program = await atTime(directory.path, skew);
      await using fleet = await openFleet(2, {
        hasPeers: true,
        program: (number) => (number === 1 ? program : undefined),
      });
      const targets = await targetsAt(fleet, 0, 1);
      using running = await load(fleet, targets, { each, bodyBytes });
      // All come to the one, and then to the other, which did not enrol them.
      const ports = fleet.balancer.servers;
      for (const port of ports) {
        fleet.balancer.servers = [port];
        fleet.balancer.close();
        fleet.balancer.open();
        await wait(Math.min(faultMs, 3000));
      }
      fleet.balancer.servers = ports;
      const { asked, failed } = await running.stop();
      t.diagnostic(`f: ${asked} exchanges with a clock at ${skew}, ${failed.length} failed`);
      assert.deepEqual(failed, []);
      assert.deepEqual(await fleet.check(), []);
    }
  },
);

const noMount =
  process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0
    ? false
    : 'a file system of its own takes root and unshare';

test(
  'scenario g: a gateway whose disk is full refuses what it could not tell of, and serves again once there is room',
  { skip: skip === false ? noMount : skip },
  async (t) => {
    await using directory = await temporaryDirectory();
    const mounted = 'mkdir -p -m 700 "$dir" && mount -t tmpfs -o size=96m,mode=700 tmpfs "$dir"';
    const program = await wrapper(
      directory.path,
      'export dir=$(dirname "$3")/state-1',
      `exec unshare -m sh -c '${mounted} && exec "$@"' sh ${launcher} "$@"`,
    );
    await using fleet = await openFleet(2, { program: (number) => (number === 1 ? program : undefined) });
    const [sound, full] = await targetsAt(fleet, 0, 1);
    assert.ok(sound !== undefined && full !== undefined);
    using running = await load(fleet, [sound], { each, bodyBytes });
    const state = `/proc/${fleet.gateways[1]?.pid}/root${dirname(fleet.configFiles[1] ?? '')}/state-1`;
    const before = await askUntil(fleet, full, () => true);
    assert.deepEqual(before.failed, []);
    await fillDisk(join(state, 'filler'));
    const during = await askUntil(fleet, full, (one) => one.failed.some((why) => why.includes('503')));
    assert.match(during.failed.join('\n'), /audit_unavailable|audit log cannot be written/);
    await rm(join(state, 'filler'));
    let again: Asking | undefined;
    await waitUntil('it serves again', async () => {
      again = await askUntil(fleet, full, () => true);
      return again.failed.length === 0;
    });
    const { asked, failed } = await running.stop();
    t.diagnostic(
      `g: ${asked} exchanges at the other gateway, ${failed.length} failed; at the full one ${during.asked} until the first refusal, which said why; it served again`,
    );
    assert.deepEqual(failed, []);
    await fleet.check();
  },
);

async function fillDisk(path: string): Promise<void> {
  await using file = await open(path, 'w');
  for (const bytes of [1 << 20, 4096])
    try {
      for (;;) await file.write(Buffer.alloc(bytes));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    }
}

/** A commit whose schema in PostgreSQL was lower. */
const olderCommit = '7ec3888^';

test('scenario i: programs of two versions serve side by side on one schema', { skip }, async (t) => {
  await using directory = await temporaryDirectory();
  const older = earlierProgram(directory.path, olderCommit);
  if (older === undefined) {
    t.skip(noHistory(olderCommit));
    return;
  }
  let hasBegun = false;
  await using fleet = await openFleet(2, {
    hasIdentityFolder: true,
    // The older one makes the schema; in the place of it comes one of this version.
    program: (number) => (number === 0 && !hasBegun ? older : undefined),
  });
  hasBegun = true;
  const { rows } = await fleet.database.run('SELECT version FROM schema_version', 'state');
  const targets = await targetsAt(fleet, 0, 1);
  // Sessions of each come to the other.
  const ports = fleet.balancer.servers;
  const moved: Asking[] = [];
  for (const port of [...ports, ...ports]) {
    fleet.balancer.servers = [port];
    fleet.balancer.close();
    fleet.balancer.open();
    for (const target of targets) moved.push(await askUntil(fleet, target, () => true));
  }
  fleet.balancer.servers = ports;
  using running = await load(fleet, targets, { each, bodyBytes });
  // Without a port for others an agent finds the one with its streams by asking again.
  fleet.balancer.close();
  await wait(Math.min(faultMs, 3000));
  fleet.balancer.open();
  const gateway = fleet.gateways[0];
  assert.ok(gateway !== undefined);
  process.kill(gateway.pid, 'SIGTERM');
  const stopped = running.stop();
  assert.equal(await gateway.ended, 0);
  const { asked, failed } = await stopped;
  await fleet.restart(0);
  const after = await askUntil(fleet, targets[0] ?? assert.fail(), () => true);
  t.diagnostic(
    `i: ${asked} exchanges by programs of ${olderCommit} and of now on schema ${rows[0]?.['version']}, ${failed.length} failed`,
  );
  assert.deepEqual([...moved.flatMap((one) => one.failed), ...failed, ...after.failed], []);
  assert.deepEqual(await fleet.check(), []);
});
