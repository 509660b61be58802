// The process of an embedded gateway. embedded-gateway.ts starts it and reads what it reports.

import { readFileSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join, resolve } from 'node:path';

import { linkFragment } from '../../api/admin/link-fragment.ts';
import { readNameServers } from '../../agent/uplink/gateway-names.ts';
import { embeddedConfig, loadGatewayConfig, type GatewayConfig } from '../../gateway/config/config.ts';
import {
  HomeCredentials,
  type HomeCredentialUse,
} from '../../gateway/credentials/request/home-credentials.ts';
import { LinkLogIn, randomLabel } from '../../gateway/admin/link-log-in.ts';
import type { AdminSettings } from '../../gateway/config/admin-settings.ts';
import { startGateway } from '../../gateway/gateway.ts';
import { openSigningKey } from '../../gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../gateway/sessions/token-issuer.ts';
import type { HomeCredential } from '../../protocol/home-credential.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { embeddedGatewayDefinition } from '../commands/inner-definitions.ts';
import type { Input } from '../definition/command-definition.ts';
import { commandOf } from '../terminal/command.ts';
import { type EmbeddedReport, type PolicyForm, readyFd } from './embedded-gateway.ts';
import { gatewayLog } from '../gateway/gateway-log.ts';
import { forgetSecrets, protectProcess, secretParts, secretSources } from '../gateway/gateway-protection.ts';
import { tuneEngine } from '../terminal/heap-setting.ts';
import { writePrivateFile } from '../../system/private-file.ts';
import { listenForShutdown } from '../terminal/shutdown-signal.ts';
import { outliveStandardError } from '../terminal/standard-error.ts';
import { keepAuditOnly } from './state-directory.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

/** Enrolment follows at once; a token that is left behind is soon worthless. */
const tokenTtlSeconds = 120;
const drainMs = 1_000;

const observing: GatewayConfig['policy'] = { mode: 'observe', paths: [] };

interface Given {
  readonly state: string;
  readonly file: string | undefined;
  readonly policies: readonly string[];
  readonly followsPolicy: boolean;
}

async function configure({ state, file, policies, followsPolicy }: Given): Promise<GatewayConfig> {
  const own = embeddedConfig(state);
  // The command is its own user's, and may work in the folder that has them.
  const isReadOnce = !followsPolicy;
  const policy = { mode: 'files', paths: policies.map((path) => resolve(path)), isReadOnce } as const;
  if (file === undefined) return policies.length === 0 ? own : { ...own, policy };
  // The file says what is allowed and how; place, port, names, keys and store are this run's own.
  const given = await loadGatewayConfig(file);
  if (given.policy.mode === 'store' && policies.length === 0)
    throw new ProxyError(
      'config_invalid',
      `${file}: its policy is in its store, which a run of its own does not use; name a file by --policy (policy show prints it)`,
    );
  const { listen, publicNames, stateDirectory, tls, identity, certificateAuthority, store, audit } = own;
  const ours = { listen, publicNames, stateDirectory, tls, identity, certificateAuthority, store, audit };
  // Who operates a gateway of a file does not operate one that starts workloads.
  const { admin: _, ...rest } = given;
  return { ...rest, ...ours, policy: policies.length === 0 ? { ...given.policy, isReadOnce } : policy };
}

function policyForm({ policy: { mode, paths } }: GatewayConfig): PolicyForm {
  if (mode === 'observe') return 'observe';
  return paths.length === 0 ? 'none' : 'files';
}

/** With the name servers of this moment, unless the configuration names some: those of the system will lead to the agent. */
function withNameServers(config: GatewayConfig): GatewayConfig {
  if (config.upstream.resolvers.length > 0) return config;
  return { ...config, upstream: { ...config.upstream, resolvers: readNameServers().servers } };
}

interface Console {
  readonly admin: AdminSettings;
  readonly link: LinkLogIn;
  /** What a person opens. */
  readonly url: string;
}

/**
 * On loopback, under a name that is new, and for whoever has the link. A browser looks for that name at both addresses of loopback, so both are
 * taken before anybody has the link: who had the other would serve the page that reads the secret. An address leads to itself alone.
 */
function consoleAt(port: number, isByAddress: boolean): Console {
  const address = '127.0.0.1';
  const host = isByAddress ? address : `${randomLabel()}.localhost`;
  const listen = {
    address,
    port,
    names: [host],
    isByNameAlone: true,
    ...(isByAddress ? {} : { beside: '::1' }),
  };
  const link = new LinkLogIn(Date.now());
  const url = `http://${host}:${port}/#${linkFragment}${link.secret}`;
  return { admin: { socket: undefined, socketRoles: {}, listen }, link, url };
}

/** Throws if nobody listens any more. */
function report(value: EmbeddedReport): void {
  writeSync(readyFd, `${JSON.stringify(value)}\n`);
}

function reportFault(error: unknown): void {
  const { code, message } = asProxyError(error);
  try {
    report({ error: { code, message } });
  } catch {
    // Who started us is gone; the log has the error.
  }
}

/** Resolves when the process that started us is gone: the descriptor's other end is closed then. */
async function parentGone(): Promise<void> {
  // A socket, not a file stream: a read that waits in the thread pool would keep the process from ending.
  const socket = new Socket({ fd: readyFd, readable: true, writable: true });
  socket.unref();
  socket.resume();
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    socket.once('error', () => resolve());
  });
}

/** What `run` found in the caller's home, on standard input, where it says that there is something. */
function readHomes(use: HomeCredentialUse | undefined, config: GatewayConfig): HomeCredentials | undefined {
  if (use === undefined) return undefined;
  const text = readFileSync(0);
  // Written by our own program: the type is what embedded-gateway.ts writes.
  const credentials = JSON.parse(text.toString('utf8')) as readonly HomeCredential[];
  text.fill(0);
  return new HomeCredentials(credentials, use, config.limits);
}

interface Served {
  readonly state: string;
  readonly config: GatewayConfig;
  readonly homeUse: HomeCredentialUse | undefined;
  readonly console: Console | undefined;
}

async function serve({ state, config, homeUse, console: ui }: Served): Promise<void> {
  outliveStandardError();
  using shutdown = listenForShutdown();
  const tokenFile = join(state, 'session-token');
  const environment = workloadEnvironment(process.env);
  const log = gatewayLog(config.log);
  protectProcess((message) => log('warn', message));
  const homes = readHomes(homeUse, config);
  await using gateway = await startGateway(config, {
    environment,
    log,
    ...(homes === undefined ? {} : { homes }),
    ...(ui === undefined ? {} : { link: ui.link }),
  });
  tuneEngine();
  const secrets = secretParts(config);
  forgetSecrets(process.env, secrets);
  const token = issueSessionToken({
    key: await openSigningKey(config.stateDirectory),
    issuer: config.tokens.issuer,
    audience: config.tokens.audience,
    subject: 'run',
    ttlSeconds: tokenTtlSeconds,
    nowMs: Date.now(),
  });
  await writePrivateFile(tokenFile, token);
  const auditFile = config.audit.file ?? join(state, 'audit.jsonl');
  report({
    url: gateway.url,
    caPem: gateway.serverCaPem ?? '',
    tokenFile,
    auditFile,
    sources: secretSources(secrets),
    policy: policyForm(config),
    ...(ui === undefined ? {} : { consoleLink: ui.url }),
  });
  await Promise.race([shutdown.requested, parentGone()]);
  await gateway.close({ drainMs });
}

async function embeddedGateway({
  options: values,
}: Input<typeof embeddedGatewayDefinition>): Promise<number> {
  try {
    const config = await configure({
      state: values.state,
      file: values.config,
      policies: values.policy ?? [],
      followsPolicy: values['follow-policy'],
    });
    const decided = values.observe ? { ...config, policy: observing } : config;
    const own = values['keep-name-servers'] ? withNameServers(decided) : decided;
    const port = values['ui-port'];
    const ui = port === undefined ? undefined : consoleAt(Number(port), values['ui-by-address']);
    await serve({
      state: values.state,
      config: ui === undefined ? own : { ...own, admin: ui.admin },
      homeUse: values['home-credentials'],
      console: ui,
    });
  } catch (error) {
    reportFault(error);
    throw error;
  } finally {
    // Keys and an unused token must not stay, also when `run` was killed and cannot see to it.
    await keepAuditOnly(values.state);
  }
  return 0;
}

export const embeddedGatewayCommand = commandOf(embeddedGatewayDefinition, embeddedGateway);
