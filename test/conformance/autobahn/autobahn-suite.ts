// Autobahn's cases, where it is to be had: its fuzzing server as the origin, and a client that echoes (ws) behind agent and gateway.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

import { WebSocket } from 'ws';

import { openForwarder } from '../../e2e/protocol-matrix/scene.ts';
import { deploy } from '../../support/deployment.ts';
import { freePort } from '../../support/free-port.ts';
import { endChild, waitUntil } from '../../support/program.ts';
import { namedMaterial } from '../material.ts';
import type { CaseResult, Suite } from '../suite.ts';

export const autobahnSuite: Suite = {
  name: 'autobahn',
  about: 'Autobahn’s cases by its fuzzing server, with ws as the client',
  deviations: [],
  run: async (work) => {
    const material = namedMaterial('autobahn');
    if ('absent' in material) return { absent: material.absent };
    return { results: await runAutobahn(join(material.folder, 'wstest'), work), from: material.from };
  },
};

const host = 'autobahn.test';
const agentName = 'upstreamproxy';

/** @param program that is Autobahn's `wstest` @param work empty folder */
export async function runAutobahn(program: string, work: string): Promise<readonly CaseResult[]> {
  await using stack = new AsyncDisposableStack();
  const port = await freePort();
  const spec = join(work, 'spec.json');
  // Its ninth group is of speed alone.
  const cases = { cases: ['*'], 'exclude-cases': ['9.*'], 'exclude-agent-cases': {} };
  await writeFile(spec, JSON.stringify({ url: `ws://127.0.0.1:${port}`, outdir: work, ...cases }));
  const server = spawn(program, ['--mode', 'fuzzingserver', '--spec', spec], { cwd: work, stdio: 'ignore' });
  stack.defer(() => endChild(server));
  await waitUntil('the fuzzing server listens', () => isOpen(port));
  const rules = [{ name: 'all', hosts: [host], ports: [port], addresses: ['127.0.0.1/32'], scheme: 'http' }];
  const deployment = stack.use(await deploy({ rules, hosts: { [host]: '127.0.0.1' } }));
  const agent = stack.use(await deployment.startAgent());
  const forwarder = stack.use(await openForwarder(agent.relayPort, `${host}:${port}`));
  const talk = async (path: string): Promise<string> =>
    await echo(`ws://127.0.0.1:${forwarder.port}${path}`, `${host}:${port}`);
  const count = Number(await talk('/getCaseCount'));
  for (let number = 1; number <= count; number++) await talk(`/runCase?case=${number}&agent=${agentName}`);
  await talk(`/updateReports?agent=${agentName}`);
  return await readReport(join(work, 'index.json'));
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Sends each message back until the end; gives the last one. */
async function echo(url: string, authority: string): Promise<string> {
  const socket = new WebSocket(url, { headers: { host: authority }, skipUTF8Validation: false });
  let last = '';
  socket.on('message', (data: Buffer, isBinary) => {
    last = isBinary ? last : data.toString();
    socket.send(data, { binary: isBinary });
  });
  // What the server sends wrong ends the connection with an error; the report has what it thinks of that.
  socket.on('error', () => undefined);
  await once(socket, 'close');
  return last;
}

async function readReport(file: string): Promise<readonly CaseResult[]> {
  // Written by Autobahn: behaviours by agent and case.
  const report = JSON.parse(await readFile(file, 'utf8')) as Readonly<
    Record<string, Readonly<Record<string, { readonly behavior: string; readonly behaviorClose: string }>>>
  >;
  return Object.entries(report[agentName] ?? {}).map(([id, { behavior, behaviorClose }]): CaseResult => {
    const isRight = [behavior, behaviorClose].every((word) => /^(?:OK|NON-STRICT|INFORMATIONAL)$/.test(word));
    return isRight
      ? { id, state: 'passed' }
      : { id, state: 'failed', why: `${behavior}, its close ${behaviorClose}` };
  });
}
