// One of curl's cases, by a real curl: without the agent, which has to give what the case expects, and through it, which has to give
// the same.

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { runCommand } from '../../support/command.ts';
import type { CaseResult } from '../suite.ts';
import { readCase, textOf } from './case-format.ts';
import type { CurlCase } from './case-format.ts';
import { comparableFields, comparableHeads } from './comparable.ts';
import type { CaseOrigin, SeenByOrigin } from './case-origin.ts';
import { exclusionOf } from './case-selection.ts';

export interface CurlScene {
  readonly origin: CaseOrigin;
  readonly curl: string;
  readonly version: string;
  readonly features: ReadonlySet<string>;
  /** Emptied for each run: the same for both, as curl prints names in it. */
  readonly folder: string;
  /** Folder of curl's tests. */
  readonly sourceFolder: string;
  /** Environment of curl with the agent as its proxy. */
  readonly agentEnv: NodeJS.ProcessEnv;
}

/** A hang, on a slow machine too. */
const runTimeoutMs = 30_000;

interface Observed {
  readonly code: string;
  readonly output: string;
  readonly stdout: string;
  readonly files: readonly string[];
  /** All that curl wrote. */
  readonly written: string;
  readonly requests: readonly SeenByOrigin[];
}

/** @param source the case as it stands in its file, Latin-1 */
export async function runCurlCase(id: string, source: string, scene: CurlScene): Promise<CaseResult> {
  const test = readCase(source, { variables: variablesOf(id, scene), features: scene.features });
  const rule = exclusionOf(test, scene.features);
  if (rule !== undefined) return { id, state: 'excluded', rule };
  const environment = { PATH: process.env['PATH'], HOME: scene.folder };
  const direct = await runOnce(id, test, scene, environment);
  if (!meetsExpectation(test, direct))
    return {
      id,
      state: 'excluded',
      rule: 'this curl, without the agent, gives something else than the case expects',
    };
  const through = await runOnce(id, test, scene, { ...environment, ...scene.agentEnv });
  const why = differenceOf(direct, through);
  return why === undefined ? { id, state: 'passed' } : { id, state: 'failed', why };
}

function variablesOf(
  id: string,
  { origin, version, folder, sourceFolder, curl }: CurlScene,
): Record<string, string> {
  return {
    TESTNUMBER: id,
    HOSTIP: '127.0.0.1',
    CLIENTIP: '127.0.0.1',
    HTTPPORT: String(origin.port),
    HTTPSPORT: String(origin.securePort),
    NOLISTENPORT: '47',
    LOGDIR: folder,
    PWD: folder,
    FILE_PWD: folder,
    SRCDIR: sourceFolder,
    CERTDIR: sourceFolder,
    DEV_NULL: '/dev/null',
    VERSION: version,
    VERNUM: version,
    CURL: curl,
    DATE: new Date().toISOString().slice(0, 10),
    USER: 'nobody',
  };
}

async function runOnce(
  id: string,
  test: CurlCase,
  scene: CurlScene,
  env: NodeJS.ProcessEnv,
): Promise<Observed> {
  const { folder, origin, curl } = scene;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  for (const [name, part] of test)
    if (/^client\/file\d*$/.test(name) && part.attributes['name'] !== undefined)
      await writeFile(
        join(folder, part.attributes['name'].slice(folder.length)),
        Buffer.from(textOf(part), 'latin1'),
      );
  origin.serve(test);
  const command = test.get('client/command');
  const option = command?.attributes['option'] ?? '';
  const output = join(folder, `curl${id}.out`);
  const words = [
    curl,
    ...(option.includes('no-q') ? [] : ['-q']),
    ...(option.includes('no-output') || (test.has('verify/stdout') && !option.includes('force-output'))
      ? []
      : ['--output', output]),
    ...(option.includes('no-include') ? [] : ['--include']),
    // Its head is the agent's own, which a run without it has not.
    '--suppress-connect-headers',
    (command?.text ?? '').trim().replaceAll(/\r?\n/g, ' '),
  ];
  const result = await runCommand('sh', ['-c', `exec ${words.join(' ')}`], {
    cwd: folder,
    env: { ...env, ...environmentOf(test) },
    input: Buffer.from(textOf(test.get('client/stdin')), 'latin1'),
    timeoutMs: runTimeoutMs,
  });
  const paths = [...test].flatMap(([name, { attributes }]) =>
    /^verify\/file\d*$/.test(name) && attributes['name'] !== undefined ? [attributes['name']] : [],
  );
  const read = (path: string): Promise<string> => readFile(path, 'latin1').catch(() => 'no such file');
  return {
    code: String(result.code ?? result.signal),
    output: await read(output),
    stdout: result.stdout,
    files: await Promise.all(paths.map(read)),
    written: (await Promise.all((await readdir(folder)).map((name) => read(join(folder, name))))).join('\n'),
    requests: origin.seen(),
  };
}

function environmentOf(test: CurlCase): NodeJS.ProcessEnv {
  const lines = (test.get('client/setenv')?.text ?? '').split('\n').map((line) => line.trim());
  return Object.fromEntries(
    lines.flatMap((line) => {
      const at = line.indexOf('=');
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
}

function meetsExpectation(test: CurlCase, { code, output, stdout }: Observed): boolean {
  const codes = (test.get('verify/errorcode')?.text ?? '0').trim().split(',');
  if (!codes.includes(code)) return false;
  const withoutReturns = (text: string): string => text.replaceAll('\r', '').trimEnd();
  const isStripped = [...test.keys()].some((name) => name.startsWith('verify/stripfile'));
  const expectedStdout = test.get('verify/stdout');
  if (expectedStdout !== undefined && !isStripped && expectedStdout.attributes['loadfile'] === undefined)
    if (
      withoutReturns(stdout) !==
      withoutReturns(Buffer.from(textOf(expectedStdout), 'latin1').toString('utf8'))
    )
      return false;
  const checks = ['', '1', '2', '3', '4'].flatMap((suffix) => test.get(`reply/datacheck${suffix}`) ?? []);
  const data = test.get('reply/data');
  const expected = checks.length > 0 ? checks.map(textOf).join('') : textOf(data);
  if (expected === '' || data?.attributes['nocheck'] === 'yes' || output === 'no such file') return true;
  return withoutReturns(output) === withoutReturns(expected);
}

/** What curl says of a response that is none: unsupported, weird, cut, empty, broken, of a coding that cannot be read, too large. */
const refusingExits = new Set(['1', '8', '18', '52', '56', '61', '100']);

/** Whether curl refused the response, or the gateway in its place: it then says so with a 502. */
function isRefusal({ code, stdout, written }: Observed): boolean {
  return refusingExits.has(code) || /reason: origin_/.test(stdout + written);
}

function differenceOf(direct: Observed, through: Observed): string | undefined {
  if (refusingExits.has(direct.code) && isRefusal(through)) return undefined;
  const pairs: readonly (readonly [what: string, direct: string, through: string])[] = [
    ['curl’s exit', direct.code, through.code],
    ['the output', comparableHeads(direct.output), comparableHeads(through.output)],
    ['standard output', comparableHeads(direct.stdout), comparableHeads(through.stdout)],
    ...direct.files.map(
      (text, at) => ['a file', comparableHeads(text), comparableHeads(through.files[at] ?? '')] as const,
    ),
    ['what the origin got', comparableRequests(direct.requests), comparableRequests(through.requests)],
  ];
  for (const [what, before, after] of pairs)
    if (before !== after)
      return `${what} differs\n    direct:  ${shown(before)}\n    through: ${shown(after)}`;
  return undefined;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 1500 ? `${text.slice(0, 1500)}…` : text);
}

function comparableRequests(requests: readonly SeenByOrigin[]): string {
  return requests
    .map(({ line, fields, body }) => {
      const [method, target = ''] = line.split(' ');
      return withoutChance([`${method} ${target}`, ...comparableFields(fields), '', body].join('\n'));
    })
    .join('\n');
}

/** Takes out what curl draws by lot: the boundary of a form, and the client's nonce of Digest with what follows from it. */
function withoutChance(text: string): string {
  return text
    .replaceAll(/-{24}[0-9A-Za-z]{22}/g, 'boundary')
    .replaceAll(/\bcnonce="[^"]*"(.*?)\bresponse="[^"]*"/g, 'cnonce="…"$1response="…"');
}
