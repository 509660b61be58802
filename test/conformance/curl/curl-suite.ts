// curl's HTTP cases through agent and gateway: the scene, and the run over all cases of a folder.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { mustRun } from '../../support/command.ts';
import { deploy } from '../../support/deployment.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { skipWithout } from '../../support/tools.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { namedMaterial, sourcePackage } from '../material.ts';
import type { CaseResult, Suite } from '../suite.ts';
import { startCaseOrigin } from './case-origin.ts';
import { curlDeviations } from './curl-deviations.ts';
import { runCurlCase } from './run-case.ts';
import type { CurlScene } from './run-case.ts';

export const curlSuite: Suite = {
  name: 'curl',
  about: 'curl’s HTTP cases: the same result through agent and gateway as without them',
  deviations: curlDeviations,
  run: async (work) => {
    const missing = skipWithout('curl');
    if (missing !== false) return { absent: missing };
    const named = namedMaterial('curl');
    const material = 'absent' in named ? await sourcePackage('curl', 'tests/data/*', work) : named;
    if ('absent' in material) return { absent: material.absent };
    return { results: await runCurlCases(join(material.folder, 'tests/data')), from: material.from };
  },
};

/** At once, each with an origin of its own: most of the time curl waits. */
const workers = 3;

/** Runs all cases `testN` of a folder, or those that are named. */
export async function runCurlCases(folder: string, only?: readonly string[]): Promise<readonly CaseResult[]> {
  const names = (await readdir(folder)).flatMap((name) => /^test(\d+)$/.exec(name)?.[1] ?? []);
  const ids = names
    .map(Number)
    .sort((a, b) => a - b)
    .map(String);
  await using scenes = await openCurlScenes(folder);
  const results: CaseResult[] = [];
  const queue = ids.filter((id) => only === undefined || only.includes(id)).values();
  await Promise.all(
    scenes.all.map(async (scene) => {
      for (const id of queue)
        results.push(await runCurlCase(id, await readFile(join(folder, `test${id}`), 'latin1'), scene));
    }),
  );
  return results.sort((a, b) => Number(a.id) - Number(b.id));
}

async function openCurlScenes(
  folder: string,
): Promise<{ readonly all: readonly CurlScene[] } & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const origins = [];
  for (let number = 0; number < workers; number++) origins.push(stack.use(await startCaseOrigin(authority)));
  const rule = { hosts: ['127.0.0.1'], addresses: ['127.0.0.1/32'] };
  const rules = [
    { name: 'plain', ...rule, ports: origins.map(({ port }) => port), scheme: 'http' },
    { name: 'secure', ...rule, ports: origins.map(({ securePort }) => securePort) },
  ];
  const deployment = stack.use(await deploy({ rules, authority }));
  const agent = stack.use(await deployment.startAgent());
  const { path } = stack.use(await temporaryDirectory());
  const said = await mustRun('curl', ['--version']);
  const common = {
    curl: 'curl',
    version: /^curl (\S+)/.exec(said)?.[1] ?? '',
    features: featuresOf(said),
    sourceFolder: join(folder, '..'),
    // The agent leaves loopback out, where these origins are.
    agentEnv: { ...agent.env, no_proxy: '', NO_PROXY: '' },
  };
  const owned = stack.move();
  return {
    all: origins.map((origin, number) =>
      Object.assign({ origin, folder: join(path, String(number)) }, common),
    ),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** As `curl --version` tells them, in the words of the cases; what every build of a distribution has is assumed. */
function featuresOf(version: string): ReadonlySet<string> {
  const listed = (name: string): readonly string[] =>
    new RegExp(`^${name}: (.*)$`, 'm').exec(version)?.[1]?.split(' ') ?? [];
  const features = new Set([...listed('Protocols'), ...listed('Features')]);
  const renamed = { HTTP2: 'http/2', HTTP3: 'http/3' };
  for (const [name, word] of Object.entries(renamed)) if (features.has(name)) features.add(word);
  if (features.has('SSL')) features.add('SSLpinning').add('crypto');
  if (/\bOpenSSL\//.test(version)) features.add('OpenSSL');
  const always =
    'proxy cookies Mime form-api headers-api HTTP-auth DoH aws netrc parsedate verbose-strings local-http large-time large-size typecheck shuffle-dns';
  for (const name of always.split(' ')) features.add(name);
  return features;
}
