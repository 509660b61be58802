// The doctor: what this container has of a session, which clients are here, and what each of them lacks.

import { randomInt } from 'node:crypto';
import { userInfo } from 'node:os';
import type { Limits } from '../../protocol/limits.ts';
import { asProxyError } from '../../protocol/error.ts';
import { displacedVariable, environmentTable } from '../environment.ts';
import { systemBundlePath } from '../trust/trust.ts';
import { sessionRootName } from '../relay/client-tls.ts';
import type { ClientRow, Remedy } from './client-row.ts';
import { clientTable } from './client-table.ts';
import { containerFix, type ContainerScene, hasUserRanges } from './container-tools.ts';
import { environmentProblems, type Problem } from './environment-problems.ts';
import { examineProxy, examineTrust, type Finding, type Scene } from './examine-settings.ts';
import {
  contactGateway,
  type GatewayContact,
  isCaptured,
  isPortOpen,
  type RelayAddress,
} from './gateway-contact.ts';
import { type JailSeen, jailSeen } from './jail-seen.ts';
import { findCommand, type Proved, proveClient, readVersion } from './prove-client.ts';
import { openShadowHome } from './shadow-home.ts';
import { type Authority, authorityIn } from './trust-evidence.ts';

export interface DoctorOptions {
  readonly environment: Readonly<Record<string, string>>;
  readonly home: string;
  /** Where the environment says that the relay is, or the user. */
  readonly relay: RelayAddress | undefined;
  /** Rows to examine; all if it is empty. */
  readonly clients: readonly string[];
  /** Without it clients are judged by their settings alone. */
  readonly prove: boolean;
  readonly limits: Limits;
  /** Told of each client as it is done. */
  readonly onClient?: (report: ClientReport) => void;
  /** Told before the clients, where the gateway is not reached: then it is the first of the problems too. */
  readonly onNoSession?: (problem: Problem) => void;
}

export interface ClientReport {
  readonly client: string;
  readonly command: string;
  readonly version?: string;
  readonly proxy: Finding;
  readonly trust: Finding;
  readonly proof?: Proved;
  /** What the proof says, or the settings where there is none. */
  readonly works: boolean;
  readonly fix?: string;
}

export interface DoctorReport {
  readonly relay?: string;
  readonly captured: boolean;
  readonly session?: string;
  readonly clockSkewMs?: number;
  /** Where the TLS of the doctor's own request ended; undefined where the gateway was not reached. */
  readonly tlsEndsIn?: 'agent' | 'gateway';
  readonly jail: JailSeen;
  /** Variables of the user that gave way to those of the session. */
  readonly displaced: readonly string[];
  readonly problems: readonly Problem[];
  readonly clients: readonly ClientReport[];
  readonly ok: boolean;
}

/** Examines everything. Never throws for what it finds. */
export async function examine(options: DoctorOptions): Promise<DoctorReport> {
  const { relay } = options;
  const captured = await isCaptured();
  const contact = await contactOrProblem(options, captured);
  if (!('chain' in contact)) options.onNoSession?.(contact);
  const rows = clientTable.filter(({ id }) => options.clients.length === 0 || options.clients.includes(id));
  const scene = {
    ...sceneOf(options, captured, contact),
    closedPorts: await closedPortsOf(rows, captured, contact),
  };
  const skewMs = 'chain' in contact ? contact.clockSkewMs : undefined;
  const problems = [
    ...('chain' in contact ? [] : [contact]),
    ...environmentProblems(scene, skewMs),
    ...authorityProblem(contact, scene),
  ];
  await using home = await openShadowHome(options.home);
  const clients = await examineClients(rows, scene, { ...options, home: home.path });
  return {
    ...(relay === undefined ? {} : { relay: `http://${relay.host}:${relay.port}` }),
    captured: scene.captured,
    ...('chain' in contact
      ? { session: contact.session, clockSkewMs: contact.clockSkewMs, tlsEndsIn: tlsEndOf(contact) }
      : {}),
    jail: jailSeen(),
    displaced: (options.environment[displacedVariable] ?? '').split(',').filter((name) => name !== ''),
    problems,
    clients: clients.toSorted((one, other) => indexOf(one) - indexOf(other)),
    ok: problems.length === 0 && clients.every(({ works }) => works),
  };
}

/** By what the gateway says. One that does not is older; then it is what the agent listens on, which can be more than rules allow. */
async function closedPortsOf(
  rows: readonly ClientRow[],
  captured: boolean,
  contact: GatewayContact | Problem,
): Promise<ReadonlySet<number>> {
  const ports = captured ? rows.flatMap(({ port }) => port ?? []) : [];
  const open = 'chain' in contact ? contact.ports : undefined;
  if (open !== undefined) return new Set(ports.filter((port) => !open.has(port)));
  const closed = await Promise.all(ports.map(async (port) => ((await isPortOpen(port)) ? [] : [port])));
  return new Set(closed.flat());
}

/** By who signed for the gateway's own name. */
function tlsEndOf({ chain }: GatewayContact): 'agent' | 'gateway' {
  return chain[0]?.issuer.startsWith(`CN=${sessionRootName} `) === true ? 'agent' : 'gateway';
}

function indexOf({ client }: ClientReport): number {
  return clientTable.findIndex(({ id }) => id === client);
}

async function contactOrProblem(
  options: DoctorOptions,
  captured: boolean,
): Promise<GatewayContact | Problem> {
  const { relay, limits } = options;
  if (relay === undefined && !captured)
    return {
      code: 'no_session',
      message: 'no variable names a relay, and the network leads to no gateway',
      fix: 'start the command by: upstreamproxy run -- COMMAND',
    };
  try {
    return await contactGateway({ relay, word: newWord(), timeoutMs: limits.doctorContactTimeoutMs });
  } catch (error) {
    const { code, message } = asProxyError(error);
    return {
      code,
      message,
      fix: 'the session has ended or never stood: start it anew, or unset what names the relay',
    };
  }
}

function sceneOf(options: DoctorOptions, captured: boolean, contact: GatewayContact | Problem): Scene {
  const { environment, home, relay } = options;
  const systemBundle = systemBundlePath();
  const chain = 'chain' in contact ? contact.chain : [];
  const named = environmentTable.flatMap(({ name }) => environment[name] ?? []);
  const places = [...new Set([...named, ...(systemBundle === undefined ? [] : [systemBundle])])];
  const found = places
    .filter((place) => place.startsWith('/'))
    .map((place) => ({ place, authority: authorityIn(place, chain) }))
    .filter(({ authority }) => authority.length > 0);
  const authority: Authority = found[0]?.authority ?? [];
  // A file with roots beside it is better for variables that replace.
  const bundle = environment['SSL_CERT_FILE'];
  const sessionBundle = found.find(({ place }) => place === bundle)?.place ?? found[0]?.place;
  const reached = 'chain' in contact;
  return { environment, home, relay, reached, captured, authority, systemBundle, sessionBundle };
}

function authorityProblem(contact: GatewayContact | Problem, { authority }: Scene): readonly Problem[] {
  if (!('chain' in contact) || authority.length > 0) return [];
  return [
    {
      code: 'authority_unknown',
      message: "no file that a variable names, and not the system's bundle, has the gateway's certificate",
      fix: 'start the command by: upstreamproxy run -- COMMAND, or set the variables that upstreamproxy env prints',
    },
  ];
}

/** A few at a time: some are slow to start, and none should wait for all of the others. */
async function examineClients(
  rows: readonly ClientRow[],
  scene: Scene,
  options: DoctorOptions,
): Promise<readonly ClientReport[]> {
  const waiting = [...rows];
  const reports: ClientReport[] = [];
  const work = async (): Promise<void> => {
    for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) {
      const report = await examineClient(row, scene, options);
      if (report === undefined) continue;
      options.onClient?.(report);
      reports.push(report);
    }
  };
  await Promise.all(Array.from({ length: options.limits.doctorClientsMax }, work));
  return reports;
}

/** Undefined where the client is not here. */
async function examineClient(
  row: ClientRow,
  scene: Scene,
  options: DoctorOptions,
): Promise<ClientReport | undefined> {
  // Settings are looked at where they are; what runs sees them by links.
  const environment: Scene['environment'] = {
    ...scene.environment,
    HOME: options.home,
    TMPDIR: options.home,
  };
  const timeoutMs = options.limits.doctorProofTimeoutMs;
  const path = environment['PATH'];
  const command = row.commands.map((name) => findCommand(name, path)).find((found) => found !== undefined);
  if (command === undefined) return undefined;
  if (row.speakers?.some((file) => findCommand(file, path) !== undefined) === false) return undefined;
  const printed = await readVersion(row, command, environment, timeoutMs);
  if (printed === undefined && row.library === true) return undefined;
  const proxy = examineProxy(row, scene);
  const trust = examineTrust(row, scene);
  const proof = options.prove
    ? await prove(row, command, { environment, reached: scene.reached }, timeoutMs)
    : undefined;
  const jailFix = row.containers === undefined ? undefined : containerFix(row.containers, containerScene());
  const works = jailFix === undefined && (proof?.passed ?? (scene.reached && proxy.holds && trust.holds));
  const fix = works ? undefined : (jailFix ?? fixFor(row, { proxy, trust }, scene));
  return {
    client: row.id,
    command,
    ...(printed?.version === undefined ? {} : { version: printed.version }),
    proxy,
    trust,
    ...(proof === undefined ? {} : { proof }),
    works,
    ...(fix === undefined ? {} : { fix }),
  };
}

async function prove(
  row: ClientRow,
  command: string,
  { environment, reached }: Pick<Scene, 'environment' | 'reached'>,
  timeoutMs: number,
): Promise<Proved | undefined> {
  const { proof } = row;
  const needed = [proof?.command, proof?.needs].filter((name) => name !== undefined);
  // Where the gateway does not respond to the doctor, it responds to nobody.
  if (proof === undefined || !reached) return undefined;
  if (needed.some((name) => findCommand(name, environment['PATH']) === undefined)) return undefined;
  return await proveClient(proof, { command, environment, word: newWord(), timeoutMs });
}

const remedies: Readonly<Record<Remedy, string>> = {
  'home-files': 'start the session with --home-files: it takes this from files in HOME only',
  'system-store':
    'start it by upstreamproxy run, where it gets mounts of its own, or the session as root with --system-store: it trusts nothing else',
  capture: 'run it by: upstreamproxy run --isolate=require -- COMMAND, for it has no setting for a proxy',
};

function containerScene(): ContainerScene {
  const uid = process.geteuid?.() ?? 0;
  return { jail: jailSeen(), hasUserRanges: hasUserRanges(uid, userName()) };
}

function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    // Its number has none.
    return undefined;
  }
}

function fixFor(
  row: ClientRow,
  { proxy, trust }: Pick<ClientReport, 'proxy' | 'trust'>,
  scene: Scene,
): string {
  if (!scene.reached) return 'first of all a session: see the beginning';
  const { relay, sessionBundle } = scene;
  if (!proxy.holds) {
    if (row.port !== undefined && scene.closedPorts?.has(row.port) === true)
      return `ask the owner of the policy for a rule: { name: NAME, hosts: HOST, scheme: tcp, ports: ${row.port} }`;
    if (row.fix === 'home-files' || row.fix === 'capture') return remedies[row.fix];
    const deciding = proxy.by.split(', ');
    const source =
      row.proxy.find((one) => one.kind === 'variable' && one.names.some((name) => deciding.includes(name))) ??
      row.proxy[0];
    if (source?.kind === 'variable' && source.only === undefined && relay !== undefined)
      return `export ${source.names[0] ?? ''}=http://${relay.host}:${relay.port}`;
    return 'start the session by upstreamproxy run or agent, and keep its variables';
  }
  if (!trust.holds) {
    if (row.fix === 'home-files' || row.fix === 'system-store') return remedies[row.fix];
    const file = trustVariable(row, trust, scene);
    if (file !== undefined && sessionBundle !== undefined) return `export ${file}=${sessionBundle}`;
    return remedies['system-store'];
  }
  return 'its settings are right; see what it said, and its own configuration';
}

/** The variable that would make it trust: the first, but one for a part of its requests only where that is what is wrong. */
function trustVariable({ trust }: ClientRow, { reason = '' }: Finding, scene: Scene): string | undefined {
  if (typeof trust === 'string') return undefined;
  const isWrong = (name: string): boolean =>
    (scene.environment[name] ?? '') !== '' && reason.split(' ').includes(name);
  return trust
    .filter((source) => source.kind === 'file')
    .find(({ name, part }) => part !== true || isWrong(name))?.name;
}

/** Letters only, so that no number in what a client prints is taken for a status. */
function newWord(): string {
  return Array.from({ length: 12 }, () => String.fromCharCode(97 + randomInt(26))).join('');
}
