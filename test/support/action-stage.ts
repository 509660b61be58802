// A job that uses the action, on this machine: a registry, a git server and an API, to which the gateway of the job finds a way.

import { randomUUID } from 'node:crypto';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import { stringify } from 'yaml';

import { leftProcesses, markName } from '../../scripts/left-processes.ts';
import { ActionRunner } from './action-runner.ts';
import { deploy, type Deployment } from './deployment.ts';
import { gitServer, type GitServer } from './git-server.ts';
import { jobTokenIssuer } from './job-token-issuer.ts';
import { leadingProxy } from './leading-proxy.ts';
import { httpOrigin, httpsOrigin, type Origin } from './origin.ts';
import { packageRegistry } from './package-registry.ts';
import { launcher } from './program.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import { createTestAuthority } from './test-authority.ts';

export interface ActionStage extends AsyncDisposable {
  readonly runner: ActionRunner;
  readonly api: Origin;
  readonly git: GitServer;
  /** Of the gateway of the job, beside `upstream`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Inputs by which the action uses the program of the tests and finds the origins. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Writes a file of the repository. */
  write(name: string, text: string): Promise<void>;
  /** Variables by which a job with the permission id-token asks for a token. */
  readonly idToken: Readonly<Record<string, string>>;
  /** A token of that issuer, of repository acme/shop. */
  issueToken(subject: string): Promise<string>;
  /** Ports of the origins by name, for a gateway elsewhere. */
  readonly upstream: Readonly<Record<string, unknown>>;
  /** Processes of the job that still run. */
  leftProcesses(): readonly string[];
  /** What is left in folders of the machine that the job had. */
  leftFiles(): Promise<readonly string[]>;
}

/** A gateway that is none of the job's: it takes tokens of jobs of acme/*, and allows the API to those of acme/shop. */
export function deployElsewhere({ upstream }: ActionStage): Promise<Deployment> {
  return deploy({
    rules: [{ name: 'api', hosts: 'api.example.com', for: { repository: 'acme/shop' } }],
    config: {
      upstream,
      issuers: [
        { issuer: 'https://issuer.example.com', audience: 'upstreamproxy', for: { repository: 'acme/*' } },
      ],
    },
  });
}

export async function openActionStage(): Promise<ActionStage> {
  await using stack = new AsyncDisposableStack();
  const root = stack.use(await temporaryDirectory()).path;
  const authority = createTestAuthority();
  const publicUrl = 'https://registry.example.com/';
  const registry = stack.use(await packageRegistry({ authority, publicUrl, name: 'greeting' }));
  const git = stack.use(await gitServer({ authority }));
  const api = stack.use(await httpsOrigin({ authority }));
  const issuing = await jobTokenIssuer();
  const issuer = stack.use(await httpsOrigin({ authority, handler: issuing.handler }));
  const jobTokens = stack.use(await httpOrigin({ handler: issuing.handler }));
  const mark = randomUUID();
  const ports = {
    'issuer.example.com': issuer.port,
    'registry.example.com': registry.port,
    'git.example.com': git.port,
    'api.example.com': api.port,
    'other.example.com': api.port,
  };
  const proxy = stack.use(await leadingProxy(ports));
  const [home, bin, temporary] = [join(root, 'home'), join(root, 'bin'), join(root, 'tmp')];
  await Promise.all([home, bin, temporary].map((path) => mkdir(path)));
  await symlink(launcher, join(bin, 'upstreamproxy'));
  const npm = [`registry=${publicUrl}`, 'audit=false', 'fund=false', 'update-notifier=false'];
  await writeFile(join(home, '.npmrc'), `${npm.join('\n')}\n`);
  const runner = stack.use(
    await ActionRunner.open(join(root, 'runner'), {
      HOME: home,
      PATH: `${bin}${delimiter}${process.env['PATH']}`,
      TMPDIR: temporary,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
      LANG: 'C.UTF-8',
      [markName]: mark,
    }),
  );
  const config = { upstream: { ca: 'origins.pem', systemTrust: false, proxy: { url: proxy.url } } };
  const write = (name: string, text: string): Promise<void> => writeFile(join(runner.workspace, name), text);
  await write('origins.pem', authority.caPem);
  await write('gateway.yaml', stringify(config));
  const owned = stack.move();
  return {
    runner,
    api,
    git,
    config,
    inputs: { program: join(bin, 'upstreamproxy'), config: 'gateway.yaml' },
    write,
    upstream: { ...config.upstream, ca: join(runner.workspace, 'origins.pem') },
    idToken: {
      ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${jobTokens.port}/token?job=17`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of-this-job',
    },
    issueToken: issuing.token,
    leftProcesses: () => leftProcesses(mark).map(({ command }) => command),
    leftFiles: async () => {
      const places = [temporary, home, runner.temporary].map(async (path) => {
        const names = await readdir(path);
        return names.filter(
          (name) =>
            !/^(?:_runner_file_commands|step-\d+\.sh|node-compile-cache|\.npmrc|\.npm|\.cache|\.config)$/.test(
              name,
            ),
        );
      });
      return (await Promise.all(places)).flat();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
