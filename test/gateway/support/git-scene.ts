// A real git client behind the request path, and a real git server behind that.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canary } from '../../support/canary.ts';
import { mustRun, runCommand } from '../../support/command.ts';
import type { CommandResult } from '../../support/command.ts';
import { gitEnvironment, gitServer } from '../../support/git-server.ts';
import type { GitServer } from '../../support/git-server.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openConnectProxy } from './connect-proxy.ts';
import { openRequestPath } from './request-path.ts';
import type { RequestPath, RequestPathOptions } from './request-path.ts';

const authority = createTestAuthority();

export interface GitScene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly server: GitServer;
  /** What the credential `token` injects. */
  readonly secret: string;
  /** Of the repository, as the client writes it. */
  readonly url: string;
  /** A clone that was made past the proxy. */
  readonly work: string;
  /** git in the clone, through the proxy. */
  git(...args: readonly string[]): Promise<CommandResult>;
  /** The same with further variables. */
  gitWith(variables: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<CommandResult>;
  mustGit(...args: readonly string[]): Promise<string>;
  /** What a ref of the server points at; empty if it is not there. */
  remote(ref: string): Promise<string>;
  setPolicy(rules: string): void;
}

/** `rules` are in YAML; `HOST` in them stands for the keys that lead to the server. */
export async function openGitScene(
  rules: string,
  options: Partial<RequestPathOptions> = {},
): Promise<GitScene> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory());
  const server = stack.use(await gitServer({ authority, repository: 'acme/project' }));
  const secret = canary('git');
  const policyOf = (text: string): string =>
    `rules:\n${text.replaceAll('HOST', `hosts: git.test, ports: ${server.port}`)}`;
  const onServer = (text: string): string => policyOf(text).replaceAll('ADDRESSES', 'addresses: 127.0.0.0/8');
  const path = stack.use(
    openRequestPath({
      hosts: ['git.test'],
      trust: [authority.caPem],
      credentials: { token: { kind: 'basic', username: 'x-access-token', source: { env: 'S' } } },
      environment: { S: secret },
      ...options,
      policy: onServer(rules),
    }),
  );
  const proxy = stack.use(await openConnectProxy(path));
  const ca = join(directory.path, 'ca.pem');
  const work = join(directory.path, 'work');
  const home = join(directory.path, 'home');
  await mkdir(home);
  await writeFile(ca, path.caPem);
  const bare = join(server.root, server.repositoryPath);
  await mustRun('git', ['clone', '--quiet', bare, work], { env: gitEnvironment });
  const url = server.url('git.test', server.repositoryPath);
  await mustRun('git', ['-C', work, 'remote', 'set-url', 'origin', url], { env: gitEnvironment });
  const env = {
    ...gitEnvironment,
    HOME: home,
    GIT_TERMINAL_PROMPT: '0',
    GIT_SSL_CAINFO: ca,
    https_proxy: proxy.url,
    LC_ALL: 'C',
  };
  const gitWith: GitScene['gitWith'] = (variables, ...args) =>
    runCommand('git', ['-C', work, ...args], { env: { ...env, ...variables } });
  const owned = stack.move();
  return {
    path,
    server,
    secret,
    url,
    work,
    git: (...args) => gitWith({}, ...args),
    gitWith,
    mustGit: (...args) => mustRun('git', ['-C', work, ...args], { env }),
    remote: async (ref) => {
      const args = ['-C', bare, 'for-each-ref', '--format=%(objectname)', ref];
      return (await mustRun('git', args, { env: gitEnvironment })).trim();
    },
    setPolicy: (text) => path.setPolicy(onServer(text)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
