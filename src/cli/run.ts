// `upstreamproxy run`: a command behind the proxy, with a gateway of its own where none is named.

import { initUpstreamProxy, type InitOptions, type UpstreamProxy } from '../agent/init.ts';
import { asProxyError, ProxyError } from '../protocol/error.ts';
import {
  agentOptionTable,
  agentOptionUsage,
  initOptions,
  readAgentOptions,
  type AgentOptions,
} from './agent-options.ts';
import { jailFacts, type JailFacts } from '../agent/jail/jail-facts.ts';
import type { Jail } from '../agent/jail/jail-process.ts';
import { isSingleFile } from './argument-marks.ts';
import { readAuditFile } from './audit-file.ts';
import { parseOptions, type Command } from './command.ts';
import { contactSummary } from './contact-summary.ts';
import { startEmbeddedGateway, type EmbeddedGateway } from './embedded-gateway.ts';
import { jailOptionTable, jailOptionUsage, openJailFor, readJailOptions } from './jail-options.ts';
import { keepAuditOnly, makeRunDirectory, stateHome } from './state-directory.ts';
import { exitAs, runWorkload } from './workload.ts';
import { workloadEnvironment } from './workload-environment.ts';

/** How long streams of the command's children may go on after the command ended. */
const drainMs = 1_000;

const usage = `upstreamproxy run [options] -- command [argument …]

Runs the command so that all its HTTP and HTTPS goes through the gateway. Its exit code is the command's own.

Without --gateway a gateway of its own is started, with a private folder below $XDG_STATE_HOME/upstreamproxy:
  --policy FILE         what is allowed; may be given several times
                        without one: public destinations are allowed and recorded, no credential is used, and at
                        the end it is said what was contacted
  --config FILE         a gateway's configuration, for credentials and authorities

With a gateway outside:
${agentOptionUsage}${jailOptionUsage}  --posture             prints on stderr what could be hardened
`;

interface Session extends AsyncDisposable {
  readonly proxy: UpstreamProxy;
  readonly embedded: EmbeddedGateway | undefined;
}

interface EmbeddedOptions {
  readonly policies: readonly string[];
  readonly config: string | undefined;
}

/** Brings the session up; everything that was opened is closed again if a step fails. */
async function openSession(
  options: AgentOptions,
  embeddedOptions: EmbeddedOptions,
  jail: Promise<Jail | undefined>,
): Promise<Session> {
  await using stack = new AsyncDisposableStack();
  let embedded: EmbeddedGateway | undefined;
  if (options.gatewayUrl === undefined) {
    const stateDirectory = await makeRunDirectory(stateHome(process.env), Date.now());
    stack.defer(() => keepAuditOnly(stateDirectory));
    const args = embeddedOptions.policies.flatMap((file) => ['--policy', file]);
    if (embeddedOptions.config !== undefined) args.push('--config', embeddedOptions.config);
    embedded = stack.use(await startEmbeddedGateway({ stateDirectory, args, environment: process.env }));
  }
  const proxy = stack.use(
    await initUpstreamProxy({
      ...initOptions(options),
      ...(embedded === undefined ? {} : ofEmbedded(embedded)),
      jail: factsOf(jail),
      onFailure: 'throw',
    }),
  );
  const owned = stack.move();
  return { proxy, embedded, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function ofEmbedded({ url, caPem, tokenFile }: EmbeddedGateway): InitOptions {
  return { gatewayUrl: url, gatewayCa: caPem, tokenFile };
}

function factsOf(jail: Promise<Jail | undefined>): Promise<JailFacts | undefined> {
  const facts = jail.then((opened) => (opened === undefined ? undefined : jailFacts(opened.report)));
  // Who waits for it hears it; a start that fails earlier does not wait.
  facts.catch(() => {});
  return facts;
}

async function printContacts(auditFile: string): Promise<void> {
  const events = await Array.fromAsync(readAuditFile(auditFile));
  process.stderr.write(contactSummary(events, `upstreamproxy policy learn ${auditFile} > policy.yaml`));
}

async function run(args: readonly string[]): Promise<number> {
  const separator = args.indexOf('--');
  const own = separator < 0 ? args : args.slice(0, separator);
  const { values, positionals } = parseOptions('run', own, {
    ...agentOptionTable,
    ...jailOptionTable,
    posture: { type: 'boolean' },
    policy: { type: 'string', multiple: true },
    config: { type: 'string' },
  });
  const [file, ...rest] = separator < 0 ? positionals : args.slice(separator + 1);
  if (file === undefined || (separator >= 0 && positionals.length > 0)) {
    throw new ProxyError('usage', 'name the command behind --: upstreamproxy run [options] -- command …');
  }
  const options = await readAgentOptions(values, process.env);
  const policies = values.policy ?? [];
  if (options.gatewayUrl !== undefined && (policies.length > 0 || values.config !== undefined)) {
    throw new ProxyError(
      'usage',
      '--policy and --config are for a gateway of its own; with --gateway the policy is there',
    );
  }
  if (options.gatewayUrl === undefined && isSingleFile())
    throw new ProxyError('usage', 'this is the agent alone: name the gateway: --gateway URL');
  const jailOptions = readJailOptions(values);
  const environment = workloadEnvironment(process.env);
  await using stack = new AsyncDisposableStack();
  // First of all, for what the agent does to its own limits must not be inherited; and it enters while the session opens.
  const jail = openJailFor(jailOptions, options.quiet);
  jail.catch(() => {});
  stack.defer(async () => await (await jail.catch(() => undefined))?.close());
  let session: Session;
  try {
    session = await openSession(options, { policies, config: values.config }, jail);
  } catch (error) {
    // A jail that was required and is refused ends it all the same.
    const opened = await jail;
    if (options.onFailure === 'exit') throw error;
    const { message, code } = asProxyError(error);
    process.stderr.write(`upstreamproxy: running without the proxy: ${message} [${code}]\n`);
    return exitAs(await runWorkload([file, ...rest], environment, opened));
  }
  if (values.posture === true)
    process.stderr.write(`${JSON.stringify(session.proxy.posture, undefined, 2)}\n`);
  const end = await runWorkload([file, ...rest], { ...environment, ...session.proxy.env }, await jail);
  await session.proxy.close({ drainMs });
  await session[Symbol.asyncDispose]();
  const observed = session.embedded !== undefined && policies.length === 0 && values.config === undefined;
  if (session.embedded !== undefined && observed && !options.quiet)
    await printContacts(session.embedded.auditFile);
  return exitAs(end);
}

export const runCommand: Command = { usage, run };
