// What the cases of the matrix share: the origins, the real gateway and agent, and real clients in the agent's environment.

import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { runCommand } from '../../support/command.ts';
import { deploy } from '../../support/deployment.ts';
import type { AgentProcess, Deployment } from '../../support/deployment.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { startGrpcOrigin } from './grpc-origin.ts';
import type { GrpcOrigin } from './grpc-origin.ts';
import { startMatrixOrigin } from './origin.ts';
import type { HttpVersion, MatrixOrigin } from './origin.ts';

export interface Scene extends AsyncDisposable {
  readonly deployment: Deployment;
  readonly agent: AgentProcess;
  readonly origins: Readonly<Record<HttpVersion, MatrixOrigin>>;
  readonly grpc: GrpcOrigin;
  /** Body of the large upload. */
  readonly uploadBytes: number;
  /** The whole environment of a client: PATH and what the agent printed. */
  readonly env: NodeJS.ProcessEnv;
}

/** Everything that the matrix needs, as processes of this machine. */
export async function openScene(uploadBytes: number): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const h1 = stack.use(await startMatrixOrigin('h1', authority));
  const h2 = stack.use(await startMatrixOrigin('h2', authority));
  const grpc = stack.use(await startGrpcOrigin(authority));
  const rules = Object.entries({ h1, h2, grpc }).map(([name, { port }]) => ({
    name,
    hosts: [`${name}.test`],
    ports: [port],
    addresses: ['127.0.0.1/32'],
  }));
  const hosts = { 'h1.test': '127.0.0.1', 'h2.test': '127.0.0.1', 'grpc.test': '127.0.0.1' };
  const deployment = stack.use(await deploy({ rules, hosts, authority }));
  const agent = stack.use(await deployment.startAgent());
  const owned = stack.move();
  return {
    deployment,
    agent,
    origins: { h1, h2 },
    grpc,
    uploadBytes,
    env: { PATH: process.env['PATH'], ...agent.env },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Runs a client; throws with what it said if it fails. Gives its stdout. */
export async function runClient(
  scene: Scene,
  file: string,
  args: readonly string[],
  input: string | Uint8Array = '',
): Promise<string> {
  const result = await runCommand(file, args, { env: scene.env, input, timeoutMs: 120_000 });
  if (result.code === 0) return result.stdout;
  const said = `${result.stdout}\n${result.stderr}`.trim().slice(-1500);
  throw new Error(`${file} exits with ${String(result.code ?? result.signal)}: ${said}`);
}

/** Runs a program of this folder under Node and parses the line that it prints. */
export async function runNode(scene: Scene, file: string, args: readonly string[]): Promise<unknown> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  return JSON.parse(await runClient(scene, process.execPath, [path, ...args]));
}

/** A port whose connections go through the relay's CONNECT to `authority`, for clients that know no proxy. */
export async function openForwarder(
  relayPort: number,
  authority: string,
): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer((client) => {
    const relay = connect(relayPort, '127.0.0.1');
    relay.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    relay.once('readable', () => passResponse(relay, client));
    relay.on('error', () => client.destroy());
    // Also of a client that goes without an end, which `pipe` does not pass on: an exchange that is open holds up the end of the agent.
    client.on('close', () => relay.destroy());
    client.on('error', () => relay.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // Listening on an address and a port, not on a path.
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

/** The relay's response to CONNECT comes in one piece and before any other byte. */
function passResponse(relay: Socket, client: Socket): void {
  const response = String(relay.read());
  if (!/^HTTP\/1\.1 200 [^\r]*\r\n\r\n$/.test(response)) {
    client.destroy();
    return;
  }
  client.pipe(relay).pipe(client);
}
