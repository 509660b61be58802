// What the guides speak of, on this machine: a registry, a git server, an API, large files and an issuer of tokens.

import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { delimiter, join } from 'node:path';

import { freePort } from './free-port.ts';
import { gitServer, type GitServer } from './git-server.ts';
import type { FinishedCommand } from './guide-terminal.ts';
import { runGuide } from './guide-run.ts';
import { parseGuide, type Guide } from './guide.ts';
import { jobTokenIssuer } from './job-token-issuer.ts';
import { leadingProxy } from './leading-proxy.ts';
import { httpOrigin, httpsOrigin, type Origin } from './origin.ts';
import { packageRegistry } from './package-registry.ts';
import { launcher } from './program.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import { createTestAuthority } from './test-authority.ts';

/** The secret that the guides put into a file; the API and the git server let in who has it. */
const guideSecret = 'example-secret-1';

export interface GuideStage extends AsyncDisposable {
  /** The folder that the guide's commands run in. */
  readonly directory: string;
  readonly git: GitServer;
  readonly api: Origin;
  readonly files: Origin;
  /** HOME, PATH and more, as the guides' commands have them. */
  readonly environment: NodeJS.ProcessEnv;
  /** How the gateway finds the origins: `upstream` of its configuration. */
  readonly upstream: Readonly<Record<string, unknown>>;
  /** A token of `https://issuer.example.com`. */
  issueToken(subject: string): Promise<string>;
  /** Runs a guide of docs/, or what `select` leaves of it. Throws at the first thing that is not as shown. */
  run(file: string, select?: (guide: Guide) => Guide): Promise<ReadonlyMap<string, FinishedCommand>>;
}

/** `lockedGit`: the git server asks for the secret. */
export async function openGuideStage(options: { readonly lockedGit?: boolean } = {}): Promise<GuideStage> {
  await using stack = new AsyncDisposableStack();
  const root = stack.use(await temporaryDirectory()).path;
  const authority = createTestAuthority();
  const publicUrl = 'https://registry.example.com/';
  const registry = stack.use(await packageRegistry({ authority, publicUrl, name: 'greeting' }));
  const expectedAuthorization = `Basic ${btoa(`x-access-token:${guideSecret}`)}`;
  const git = stack.use(
    await gitServer({ authority, ...(options.lockedGit === true ? { expectedAuthorization } : {}) }),
  );
  const api = stack.use(await httpsOrigin({ authority, handler: respondAsApi }));
  const files = stack.use(await httpsOrigin({ authority, handler: endless }));
  const issuing = await jobTokenIssuer();
  const issuer = stack.use(await httpsOrigin({ authority, handler: issuing.handler }));
  const jobTokens = stack.use(await httpOrigin({ handler: issuing.handler }));
  const proxy = stack.use(
    await leadingProxy({
      'registry.example.com': registry.port,
      'git.example.com': git.port,
      'api.example.com': api.port,
      'files.example.com': files.port,
      'issuer.example.com': issuer.port,
    }),
  );
  const directory = join(root, 'stage');
  await mkdir(directory);
  await writeFile(join(directory, 'origins.pem'), authority.caPem);
  const environment = {
    ...(await userEnvironment(root)),
    // Where a job of a CI system gets its token.
    ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${jobTokens.port}/token?job=17`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of-this-job',
  };
  const upstream = { ca: 'origins.pem', systemTrust: false, proxy: { url: proxy.url } };
  const owned = stack.move();
  return {
    directory,
    git,
    api,
    files,
    environment,
    upstream,
    issueToken: issuing.token,
    run: async (file, select = (guide) => guide) => {
      const text = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8');
      return await runGuide(select(parseGuide(text)), {
        directory,
        environment,
        replacements: { '8443': String(await freePort()) },
        additions: { 'gateway.yaml': `upstream: ${JSON.stringify(upstream)}\n` },
      });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What npm and git are told by the machine's owner, not by us: their registry, and nobody else's settings. */
async function userEnvironment(root: string): Promise<NodeJS.ProcessEnv> {
  const [home, bin] = [join(root, 'home'), join(root, 'bin')];
  await Promise.all([mkdir(home), mkdir(bin)]);
  const npm = [
    'registry=https://registry.example.com/',
    'audit=false',
    'fund=false',
    'update-notifier=false',
  ];
  await writeFile(join(home, '.npmrc'), `${npm.join('\n')}\n`);
  await symlink(launcher, join(bin, 'upstreamproxy'));
  return {
    HOME: home,
    PATH: `${bin}${delimiter}${process.env['PATH']}`,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
  };
}

const respondAsApi: RequestListener = ({ url, headers }, response) => {
  const { authorization } = headers;
  if (url === '/v1/items') response.end('[{"item":1}]\n');
  else if (url === '/v1/echo') response.end(`you sent ${authorization ?? 'no credential'}\n`);
  else if (authorization === `Bearer ${guideSecret}`) response.end('{"account":"build"}\n');
  else response.writeHead(401).end('{"error":"a credential is needed"}\n');
};

const beatMs = 50;

const endless: RequestListener = (_request, response) => {
  const timer = setInterval(() => response.write(Buffer.alloc(4096)), beatMs);
  response.once('close', () => clearInterval(timer));
};
