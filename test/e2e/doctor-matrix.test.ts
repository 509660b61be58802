// The doctor against the client matrix: what it says of a client in a session is what the client's usual job shows there.
// UPSTREAMPROXY_ALL_CLIENTS=1 compares every client that is installed, by capture too, which takes minutes.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { clientTable } from '../../src/agent/doctor/client-table.ts';
import type { DoctorReport } from '../../src/agent/doctor/doctor.ts';
import { allChecks } from '../clients/checks/all.ts';
import type { Mode } from '../clients/check.ts';
import { checkOfClient } from '../clients/doctor-clients.ts';
import { runMatrix } from '../clients/matrix.ts';
import { hasPrivateEtc, withPrivateEtc } from '../clients/private-etc.ts';
import { captureObstacle } from '../support/capture-obstacle.ts';
import { runCommand } from '../support/command.ts';
import { deploy } from '../support/deployment.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const everything = process.env['UPSTREAMPROXY_ALL_CLIENTS'] === '1';
const tools = everything
  ? (process.env['UPSTREAMPROXY_CLIENTS'] ?? join(homedir(), '.cache/upstreamproxy-clients'))
  : '/nonexistent';
const checks = allChecks.filter(({ quick }) => everything || quick === true);
const clients = Object.entries(checkOfClient)
  .filter(([, check]) => checks.some(({ id }) => id === check))
  .map(([client]) => client);

/** The doctor in a session of the kind that the matrix has. */
async function doctor(mode: Mode): Promise<DoctorReport> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory()).path;
  const deployment = stack.use(await deploy({ rules: [] }));
  const home = join(directory, 'home');
  const layer = join(directory, 'etc');
  for (const folder of [home, layer]) await mkdir(folder);
  const changesStore = hasPrivateEtc(directory);
  const trust = ['--home-files', ...(changesStore ? ['--system-store'] : [])];
  const isolation = mode === 'capture' ? ['--isolate=require', '--capture-only'] : ['--isolate=off'];
  const options = [
    ...deployment.agentOptions(await deployment.issueToken()),
    '--quiet',
    ...trust,
    ...isolation,
  ];
  const run = [launcher, 'run', ...options, '--', launcher, 'doctor', '--json', ...clients];
  const [file = '', ...args] = changesStore ? withPrivateEtc(layer, run) : run;
  const env = {
    PATH: `${tools}/bin:${tools}/node_modules/.bin:${process.env['PATH'] ?? ''}`,
    HOME: home,
    LANG: 'C.UTF-8',
    // Where rustup has its toolchains, which is not what is compared.
    RUSTUP_HOME: process.env['RUSTUP_HOME'] ?? join(homedir(), '.rustup'),
  };
  const { stdout, stderr } = await runCommand(file, args, { env, cwd: home, timeoutMs: 600_000 });
  assert.notEqual(stdout, '', stderr);
  // Printed by our own command.
  return JSON.parse(stdout) as DoctorReport;
}

const captureToo = everything ? ([['capture', captureObstacle()]] as const) : [];
const ways: readonly (readonly [Mode, string | false])[] = [['environment', false], ...captureToo];
for (const [mode, skip] of ways) {
  test(`what the doctor says of clients by ${mode} is what the matrix shows`, { skip }, async (t) => {
    const report = await doctor(mode);
    const wanted = new Set(report.clients.map(({ client }) => checkOfClient[client]));
    const compared = checks.filter(({ id }) => wanted.has(id));
    const results = await runMatrix({ checks: compared, modes: [mode], tools, atOnce: 2 });
    const wrong: string[] = [];
    let count = 0;
    for (const { client, works, proof, proxy, trust } of report.clients) {
      const result = results.find(({ check }) => check.id === checkOfClient[client]);
      if (result === undefined || result.state === 'skip') continue;
      count += 1;
      const said = JSON.stringify({ works, proxy, trust, proof: proof?.said });
      if (works !== (result.state === 'pass'))
        wrong.push(`${client}: the doctor says ${said}, the matrix ${result.state} ${result.reason ?? ''}`);
      // Both halves of the doctor: settings and request.
      if (proof !== undefined && proof.passed !== (proxy.holds && trust.holds))
        wrong.push(`${client}: the proof is not what the settings say: ${said}`);
    }
    t.diagnostic(`${count} clients compared`);
    assert.ok(count >= 4, `only ${count} clients were compared`);
    assert.deepEqual(wrong, []);
  });
}

test('every client of the doctor that the matrix has is named in the comparison', () => {
  const known = new Set(clientTable.map(({ id }) => id));
  for (const client of Object.keys(checkOfClient)) assert.ok(known.has(client), client);
  const without = clientTable.filter(({ id }) => !(id in checkOfClient)).map(({ id }) => id);
  // No registry has it in a form that the matrix can install.
  assert.deepEqual(without, ['uv']);
  const ids = new Set(allChecks.map(({ id }) => id));
  assert.deepEqual(
    Object.values(checkOfClient).filter((id) => !ids.has(id)),
    [],
  );
});
