// gRPC's interoperability cases by grpc-js at both ends, through agent and gateway.

import { fileURLToPath } from 'node:url';

import { mustRun } from '../../support/command.ts';
import { deploy } from '../../support/deployment.ts';
import { waitUntil } from '../../support/program.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import type { CaseResult, Suite } from '../suite.ts';
import { startCompressingOrigin } from './compressing-origin.ts';
import { startInteropOrigin } from './interop-origin.ts';

export const grpcSuite: Suite = {
  name: 'grpc',
  about:
    'gRPC’s interoperability cases by grpc-js: calls of each kind, metadata, status, deadlines, cancellation, compression',
  deviations: [],
  run: async () => ({ results: await runInteropCases(), from: 'the checkout' }),
};

const program = fileURLToPath(new URL('interop-client.ts', import.meta.url));

/** Runs all cases, or those that are named. */
export async function runInteropCases(names: readonly string[] = []): Promise<readonly CaseResult[]> {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const plain = stack.use(await startInteropOrigin(authority));
  const compressing = stack.use(await startCompressingOrigin(authority));
  const ports = [plain.port, compressing.port];
  const rules = [{ name: 'all', hosts: ['grpc.test'], ports, addresses: ['127.0.0.1/32'] }];
  const hosts = { 'grpc.test': '127.0.0.1' };
  const deployment = stack.use(await deploy({ rules, hosts, authority }));
  const agent = stack.use(await deployment.startAgent());
  const args = [program, ...ports.map((port) => `grpc.test:${port}`), ...names];
  const env = { PATH: process.env['PATH'], ...agent.env };
  // Printed by our own program: a text for each case.
  const said = JSON.parse(await mustRun(process.execPath, args, { env })) as Readonly<Record<string, string>>;
  const results = Object.entries(said).map(([id, why]): CaseResult =>
    why === '' ? { id, state: 'passed' } : { id, state: 'failed', why },
  );
  if (Object.hasOwn(said, 'cancel_after_first_response'))
    await waitUntil('the server sees that the call was given up', () => plain.cancelled() > 0);
  const expected = Object.entries(compressed).filter(([name]) => said[name] === '');
  await waitUntil('the audit has each compressed call with few octets', async () => {
    const events = (await deployment.audit()).map(counted);
    return expected.every(([, isMeant]) => events.some((event) => isMeant(event)));
  });
  return results;
}

interface CountedExchange {
  readonly path: string;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

function counted({ path, requestBytes, responseBytes }: Readonly<Record<string, unknown>>): CountedExchange {
  return { path: String(path), requestBytes: Number(requestBytes), responseBytes: Number(responseBytes) };
}

/** grpc-js does not say what was compressed; the payloads are one letter, so that the octets on the way tell. */
const fewOctets = 10_000;
const compressed: Readonly<Record<string, (event: CountedExchange) => boolean>> = {
  client_compressed_unary: ({ path, requestBytes, responseBytes }) =>
    path.endsWith('/UnaryCall') && requestBytes < fewOctets && responseBytes > 300_000,
  server_compressed_unary: ({ path, requestBytes, responseBytes }) =>
    path.endsWith('/UnaryCall') && requestBytes > 250_000 && responseBytes < fewOctets,
  client_compressed_streaming: ({ path, requestBytes }) =>
    path.endsWith('/StreamingInputCall') && requestBytes < fewOctets,
  server_compressed_streaming: ({ path, responseBytes }) =>
    path.endsWith('/StreamingOutputCall') && responseBytes < fewOctets,
};
