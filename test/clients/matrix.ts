// Runs checks against the origins, through a real gateway and a real `run`: by its environment, and by capture alone.

import { globSync, statSync } from 'node:fs';
import { chmod, chown, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { networkNamespace, namespaceObstacle } from '../support/network-namespace.ts';
import type { NetworkNamespace } from '../support/network-namespace.ts';
import { deploy } from '../support/deployment.ts';
import type { Deployment } from '../support/deployment.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { findTool } from '../support/tools.ts';
import { fill, fillPattern, isPlain, originHost } from './check.ts';
import type { ClientCheck, Mode, Placeholders } from './check.ts';
import type { Task, TaskResult } from './inside.ts';
import { startClientOrigins } from './origin/origin.ts';
import type { ClientOrigins } from './origin/origin.ts';
import { hasPrivateEtc } from './private-etc.ts';
import { ordinaryUser, userObstacle } from './ordinary-user.ts';
import { runSession } from './run-tasks.ts';
import type { SessionKind } from './run-tasks.ts';

export interface CheckResult {
  readonly check: ClientCheck;
  readonly mode: Mode;
  readonly state: 'pass' | 'fail' | 'skip';
  /** Why it failed or was skipped. */
  readonly reason?: string;
  /** How the client spoke, as the gateway recorded it. */
  readonly protocols: readonly string[];
  /** What the client printed. */
  readonly output: string;
  readonly milliseconds: number;
}

export interface MatrixOptions {
  readonly checks: readonly ClientCheck[];
  readonly modes: readonly Mode[];
  /** Where the tools of scripts/install-clients.sh are. */
  readonly tools: string;
  /** Checks that run at the same time. */
  readonly atOnce: number;
  /** Checks that get a `run` of their own; the others share one. */
  readonly isAlone?: (check: ClientCheck) => boolean;
  readonly onResult?: (result: CheckResult) => void;
  /** Ends it early; it then throws, and leaves nothing behind. */
  readonly signal?: AbortSignal;
}

interface Arena {
  readonly options: MatrixOptions;
  readonly directory: string;
  readonly origins: ClientOrigins;
  readonly deployment: Deployment;
  readonly namespace: NetworkNamespace | undefined;
}

/** One check in one mode, ready to run. */
interface Planned {
  readonly key: string;
  readonly check: ClientCheck;
  readonly mode: Mode;
  readonly values: Placeholders;
}

const defaultTimeoutMs = 60_000;
const auditWaitMs = 3_000;
/** Runs all of them and gives a result for each check in each mode. */
export async function runMatrix(options: MatrixOptions): Promise<readonly CheckResult[]> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory()).path;
  const authority = createTestAuthority();
  const origins = stack.use(await startClientOrigins(authority));
  const namespace = namespaceObstacle() === undefined ? stack.use(await networkNamespace()) : undefined;
  const planned = options.modes.flatMap((mode) =>
    options.checks.map((check, index) =>
      plan(check, mode, `${mode[0]}${index}`, { options, directory, origins }),
    ),
  );
  const gatewayAddress = namespace?.outsideAddress ?? '127.0.0.1';
  const deployment = stack.use(
    await deploy({
      authority,
      rules: rules(origins),
      // Every check asks for names of its own, so that the audit tells what it did.
      hosts: Object.fromEntries(
        planned.flatMap(({ check, values }) =>
          originNames(check).map((name) => [originHost(name, values), origins.address]),
        ),
      ),
      config: { listen: { address: gatewayAddress, port: 0 }, publicNames: [gatewayAddress] },
    }),
  );
  const arena: Arena = { options, directory, origins, deployment, namespace };
  const results: CheckResult[] = [];
  for (const mode of options.modes) {
    const ofMode = planned.filter((one) => one.mode === mode);
    results.push(...(await runMode(arena, mode, ofMode)));
  }
  return results;
}

/** The origins that a check speaks of. */
function originNames(check: ClientCheck): string[] {
  const texts = [...check.command, ...Object.values(check.files ?? {}), ...Object.values(check.env ?? {})];
  return [...texts.join('\n').matchAll(/@(?:https?|wss?|host|authority):([a-z0-9.-]+)@/g)].flatMap(
    ([, name]) => name ?? [],
  );
}

function rules(origins: ClientOrigins): readonly Readonly<Record<string, unknown>>[] {
  const own = { hosts: ['*.up.test'], addresses: ['127.77.0.0/16'] };
  const { https, http, ...raw } = origins.ports;
  const tcp = { name: 'raw', scheme: 'tcp', ports: Object.values(raw), ...own };
  return [
    { name: 'https', ports: [https], ...own },
    { name: 'http', scheme: 'http', ports: [http], ...own },
    ...(tcp.ports.length === 0 ? [] : [tcp]),
  ];
}

function plan(
  check: ClientCheck,
  mode: Mode,
  serial: string,
  { options, directory, origins }: Pick<Arena, 'options' | 'directory' | 'origins'>,
): Planned {
  const dir = join(directory, serial, 'work');
  const home = join(directory, serial, 'home');
  // An ordinary user comes to it by another way.
  const tools = mode === 'user' ? ordinaryUser.tools(directory) : options.tools;
  const cache = `/tmp/upstreamproxy-clients-${mode === 'user' ? ordinaryUser.uid : process.geteuid?.()}`;
  const values = { ports: origins.ports, tools, node: process.execPath, dir, home, serial, cache };
  return { key: serial, check, mode, values };
}

/** Why the check cannot run here, or undefined. */
function obstacle(
  { check, mode, values: own }: Planned,
  kind: SessionKind,
  tools: string,
): string | undefined {
  if (!isPlain(mode) && check.modes?.includes(mode) === false) return check.modeReason ?? `not for ${mode}`;
  const values = { ...own, tools };
  const missing = check.needs.map((need) => fill(need, values)).filter((need) => !isThere(need, mode));
  if (missing.length > 0) return `not installed here: ${missing.join(', ')}`;
  if (mode === 'user' && check.rootOnly !== undefined) return check.rootOnly;
  if (check.homeFiles?.includes(mode) === true && !kind.homeFiles) return 'needs files in HOME';
  if (check.systemStore?.includes(mode) === true && !kind.systemStore)
    return 'needs the system store, which only root can write';
  return undefined;
}

function isThere(need: string, mode: Mode): boolean {
  if (need.includes('*')) return globSync(need).length > 0;
  if (need.includes('/')) return statSync(need, { throwIfNoEntry: false }) !== undefined;
  return (
    (mode === 'user' ? ordinaryUser.find(need, process.env['PATH'] ?? '') : findTool(need)) !== undefined
  );
}

async function runMode(arena: Arena, mode: Mode, planned: readonly Planned[]): Promise<CheckResult[]> {
  const kind = sessionKind(mode, arena);
  const results: CheckResult[] = [];
  const tell = (result: CheckResult): void => {
    results.push(result);
    arena.options.onResult?.(result);
  };
  const runnable: Planned[] = [];
  for (const one of planned) {
    const reason = kind.obstacle ?? obstacle(one, kind, arena.options.tools);
    if (reason === undefined) runnable.push(one);
    else tell({ check: one.check, mode, state: 'skip', reason, protocols: [], output: '', milliseconds: 0 });
  }
  const isAlone = ({ check }: Planned): boolean => arena.options.isAlone?.(check) === true;
  const alone = runnable.filter(isAlone).map((one) => [one]);
  const groups = [runnable.filter((one) => !isAlone(one)), ...alone];
  for (const group of groups) {
    if (group.length === 0) continue;
    for (const result of await runGroup(arena, kind, group)) tell(result);
  }
  return results;
}

function sessionKind(mode: Mode, { namespace, directory }: Arena): SessionKind {
  return {
    mode,
    homeFiles: !isPlain(mode),
    // Only root can write there, and only in a copy.
    systemStore: !isPlain(mode) && hasPrivateEtc(directory),
    ...(namespace === undefined ? {} : { namespace }),
    ...plainObstacle(mode),
  };
}

/** Who is not root is the ordinary user. */
function plainObstacle(mode: Mode): { readonly obstacle?: string } {
  if (mode === 'root' && process.geteuid?.() !== 0) return { obstacle: 'this is not root' };
  const why = mode === 'user' ? userObstacle() : undefined;
  return why === undefined ? {} : { obstacle: why };
}

/** Files of a session that its user has to own. */
async function giveTo(mode: Mode, paths: readonly string[]): Promise<void> {
  if (mode !== 'user' || process.geteuid?.() !== 0) return;
  for (const path of paths) await chown(path, ordinaryUser.uid, ordinaryUser.uid);
}

async function runGroup(arena: Arena, kind: SessionKind, group: readonly Planned[]): Promise<CheckResult[]> {
  const { deployment, directory } = arena;
  const folder = join(directory, `session-${group[0]?.key}-${group.length}`);
  const home = join(folder, 'home');
  await mkdir(home, { recursive: true });
  const listFile = join(folder, 'tasks.json');
  await writeFile(listFile, JSON.stringify({ tasks: group.map(task), atOnce: arena.options.atOnce }));
  const own = group.map(({ key }) => join(directory, key));
  for (const path of own) await mkdir(path);
  const token = await copyInto(folder, await deployment.issueToken());
  await giveTo(kind.mode, [folder, home, token, ...own]);
  for (const path of [directory, folder, home]) await chmod(path, 0o755);
  const authority = await copyInto(folder, deployment.gatewayCaFile);
  const options = ['--gateway', deployment.gateway.url, '--gateway-ca', authority, '--token-file', token];
  const byKey = new Map(group.map((one) => [one.key, one]));
  const finished = new Map<string, TaskResult>();
  const failure = await runSession({
    kind,
    agentOptions: options,
    home,
    listFile,
    tools: group[0]?.values.tools ?? arena.options.tools,
    ownTools: arena.options.tools,
    ...(arena.options.signal === undefined ? {} : { signal: arena.options.signal }),
    onResult: (result) => finished.set(result.key, result),
  });
  const seen = await exchangesOf(deployment, finished);
  return [...byKey.values()].map((one) => {
    const result = finished.get(one.key);
    if (result === undefined)
      return {
        check: one.check,
        mode: one.mode,
        state: 'fail',
        reason: failure ?? 'run ended before it',
        protocols: [],
        output: '',
        milliseconds: 0,
      };
    return judge(one, result, seen.get(one.key) ?? []);
  });
}

async function copyInto(folder: string, file: string): Promise<string> {
  const copy = join(folder, basename(file));
  await copyFile(file, copy);
  return copy;
}

function task({ key, check, values }: Planned): Task {
  const entries = Object.entries(check.files ?? {}).map(([path, content]) => {
    const absolute = path.startsWith('~/') ? join(values.home, path.slice(2)) : join(values.dir, path);
    return [absolute, fill(content, values)];
  });
  return {
    key,
    command: check.command.map((argument) => fill(argument, values)),
    // Pairs of a path and a text.
    files: Object.fromEntries(entries) as Record<string, string>,
    env: Object.fromEntries(
      Object.entries(check.env ?? {}).map(([name, value]) => [name, fill(value, values)]),
    ),
    dir: values.dir,
    home: values.home,
    timeoutMs: check.timeoutMs ?? defaultTimeoutMs,
  };
}

interface SeenExchange {
  readonly verdict: string;
  readonly protocol: string;
}

/** Waits a little for what ended at the very last: an exchange is recorded once it is over. */
async function exchangesOf(
  deployment: Deployment,
  finished: ReadonlyMap<string, TaskResult>,
): Promise<Map<string, SeenExchange[]>> {
  const deadline = performance.now() + auditWaitMs;
  for (;;) {
    const seen = await exchangesBySerial(deployment);
    const missing = [...finished.values()].some(({ key, code }) => code === 0 && !seen.has(key));
    if (!missing || performance.now() > deadline) return seen;
    await delay(200);
  }
}

/** What the gateway recorded, by the label of the host that is the check's own. */
async function exchangesBySerial({ audit }: Deployment): Promise<Map<string, SeenExchange[]>> {
  const seen = new Map<string, SeenExchange[]>();
  for (const { host, verdict, protocol } of await audit()) {
    const serial = /\.([a-z]+[0-9]+)\.up\.test$/.exec(String(host))?.[1];
    if (serial === undefined) continue;
    const list = seen.get(serial) ?? [];
    list.push({ verdict: String(verdict), protocol: String(protocol ?? '') });
    seen.set(serial, list);
  }
  return seen;
}

function judge(
  { check, mode, values }: Planned,
  result: TaskResult,
  seen: readonly SeenExchange[],
): CheckResult {
  const { code, timedOut, output, milliseconds } = result;
  const allowed = seen.filter(({ verdict }) => verdict === 'allow');
  const reason = (): string | undefined => {
    if (timedOut) return 'did not end in time';
    if (check.proves !== 'reached' && code !== 0) return `exit code ${code}`;
    if (!fillPattern(check.expect, values).test(output)) return `its output lacks ${String(check.expect)}`;
    // What did not go through the gateway came from a cache, or was made up.
    if (allowed.length === 0) return 'the gateway saw nothing of it';
    return undefined;
  };
  const why = reason();
  const protocols = [...new Set(allowed.map(({ protocol }) => protocol).filter((name) => name !== ''))];
  return {
    check,
    mode,
    state: why === undefined ? 'pass' : 'fail',
    ...(why === undefined ? {} : { reason: why }),
    protocols,
    output,
    milliseconds,
  };
}
