// A gateway process whose console is logged in to at an identity provider.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deploy, type Deployment } from './deployment.ts';
import { freePort } from './free-port.ts';
import {
  clientId,
  clientSecret,
  npmProvider,
  openProviderServer,
  type TestPerson,
} from './identity-provider.ts';
import { createTestAuthority } from './test-authority.ts';

export interface LogInDeployment extends AsyncDisposable {
  readonly deployment: Deployment;
  /** Of the console. */
  readonly origin: string;
  readonly issuer: string;
  readonly caPem: string;
}

const providerHost = 'login.example.test';
const consoleHost = 'console.example.test';

/** `person` logs in whoever comes to the provider, without being asked. */
export async function openLogInDeployment(person: () => TestPerson): Promise<LogInDeployment> {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const folder = await mkdtemp(join(tmpdir(), 'upstreamproxy-log-in-'));
  stack.defer(() => rm(folder, { recursive: true }));
  const { cert, key } = authority.issue(consoleHost);
  await writeFile(join(folder, 'cert.pem'), cert);
  await writeFile(join(folder, 'key.pem'), key, { mode: 0o600 });
  await writeFile(join(folder, 'ca.pem'), authority.caPem);
  await writeFile(join(folder, 'secret'), `${clientSecret}\n`, { mode: 0o600 });
  const server = stack.use(await openProviderServer(authority, providerHost));
  const { issuer } = server;
  const port = await freePort();
  const origin = `https://${consoleHost}:${port}`;
  server.serve(npmProvider(person)(issuer, origin));
  const deployment = stack.use(
    await deploy({
      rules: [{ name: 'nothing', hosts: ['never.test'] }],
      // Its certificate is believed by `admin.oidc.ca` alone.
      hosts: { [providerHost]: '127.0.0.1' },
      config: {
        admin: {
          listen: {
            port,
            names: [consoleHost],
            certificate: join(folder, 'cert.pem'),
            key: join(folder, 'key.pem'),
          },
          oidc: {
            issuer,
            clientId,
            clientSecret: { file: join(folder, 'secret') },
            scopes: ['profile', 'email', 'groups'],
            roles: [{ group: 'platform', role: 'administrator' }],
            ca: join(folder, 'ca.pem'),
          },
        },
      },
    }),
  );
  const owned = stack.move();
  return {
    deployment,
    origin,
    issuer,
    caPem: authority.caPem,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
