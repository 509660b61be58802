// `upstreamproxy session narrow`: a command with a session that may less than the one of whoever starts it.

import { dirname } from 'node:path';
import { startCapture } from '../../agent/capture/capture.ts';
import { entrancePorts } from '../../agent/capture/entrances.ts';
import { captureVariable, relaySocketVariable } from '../../agent/environment.ts';
import type { HomeSecrets } from '../../agent/home-secrets/home-secrets.ts';
import { jailFacts } from '../../agent/jail/jail-facts.ts';
import type { Jail } from '../../agent/jail/jail-process.ts';
import { type AskedChild, askForChild } from '../../agent/relay/ask-child.ts';
import { relayAddressOf } from '../../agent/relay/relay-address.ts';
import { throughRelay } from '../../agent/relay/through-relay.ts';
import type { ChildOffer } from '../../protocol/child-lines.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { silentLogger } from '../../system/logger.ts';
import { readRegularFile } from '../../system/regular-file.ts';
import type { sessionDefinition } from '../commands/session-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { outliveStandardError } from '../terminal/standard-error.ts';
import { type Environment, workloadEnvironment } from '../terminal/workload-environment.ts';
import { confiningJail, openJailFor } from './jail-options.ts';
import { findRunSecrets, hiddenNote, isBelow } from './run-secrets.ts';
import { stateHome } from './state-directory.ts';
import { exitAs, runWorkload, type WorkloadEnd } from './workload.ts';

type NarrowInput = Input<Extract<(typeof sessionDefinition)['actions'][number], { readonly name: 'narrow' }>>;

export async function narrow({ options, command }: NarrowInput): Promise<number> {
  const environment = workloadEnvironment(process.env);
  const relay = relayAddressOf(options.relay, environment);
  const policy = await readPolicy(options.policy);
  const confined = !options.unconfined;
  outliveStandardError();
  if (!confined)
    process.stderr.write(
      'upstreamproxy: the command is not confined: it can reach the session that it is started in (--unconfined)\n',
    );
  const { lifetime } = options;
  const request = { policy, confined, ...(lifetime === undefined ? {} : { lifetimeMs: lifetime }) };
  let end: WorkloadEnd;
  {
    await using stack = new AsyncDisposableStack();
    // First: the agent alone knows what its command is to be kept from.
    const child = stack.use(await askForChild({ relay, request }));
    const jail = confined ? stack.use(await openConfined(environment, child.offer)) : undefined;
    if (jail !== undefined) stack.use(await openWayOut(jail, child.offer));
    tellEnd(child);
    end = await runWorkload(command, commandEnvironment(environment, child.offer, confined), jail);
  }
  return exitAs(end);
}

/** The gateway reads it; what is longer than any is not sent. @throws ProxyError config_invalid */
async function readPolicy(path: string): Promise<string> {
  const { childPolicyBytesMax } = defaultLimits;
  const text = await readRegularFile(path, childPolicyBytesMax).catch((error: unknown) => {
    throw new ProxyError('config_invalid', `the policy ${path} cannot be read: ${faultReason(error)}`);
  });
  if (text === undefined)
    throw new ProxyError(
      'config_invalid',
      `the policy ${path} has more than ${childPolicyBytesMax} bytes (childPolicyBytesMax)`,
    );
  return text;
}

/** A jail from which nothing of the session outside can be reached. @throws ProxyError jail_refused where that cannot be had */
async function openConfined(environment: Environment, offer: ChildOffer): Promise<Jail> {
  const secrets = confinedSecrets(environment, offer);
  const jail = await openJailFor(confiningJail(secrets.covers), true).catch((error: unknown) => {
    const { message } = asProxyError(error);
    throw new ProxyError('jail_refused', `${message}; with --unconfined the command runs without a bound`);
  });
  if (jail === undefined) throw new ProxyError('internal', 'a jail was asked for and there is none');
  const { jailed, networkIsolated, layers, notes } = jailFacts(jail.report);
  if (jailed && networkIsolated && layers.includes('processes') && jail.listen !== undefined) {
    process.stderr.write(hiddenNote(secrets, jail.report, ''));
    return jail;
  }
  await jail.close();
  throw new ProxyError(
    'jail_refused',
    `the command would not be confined: ${notes.join('; ')}; with --unconfined it runs all the same`,
  );
}

/**
 * What `run` hides, and the folders of all sockets by which a session above it can be used: variables do not tell of all, for
 * whoever starts the command can have lost them. @throws ProxyError jail_refused, usage
 */
export function confinedSecrets(
  environment: Environment,
  { relaySockets }: Pick<ChildOffer, 'relaySockets'>,
): HomeSecrets {
  if (relaySockets === undefined)
    throw new ProxyError(
      'jail_refused',
      'the agent of the container does not say by which sockets its relay is reached, so the command cannot be kept from them; start a later version of the agent',
    );
  const named = environment[relaySocketVariable];
  const sockets = [...relaySockets, ...(named === undefined ? [] : [named])];
  const folders = [...new Set(sockets.map((path) => dirname(path)))];
  const here = process.cwd();
  const over = folders.find((folder) => isBelow(here, folder));
  if (over !== undefined)
    throw new ProxyError(
      'usage',
      `the working folder is in ${over}, where the relay has its socket; start the command in another one`,
    );
  const found = findRunSecrets({
    environment,
    fsRead: [],
    identity: undefined,
    replaces: false,
    state: stateHome(environment),
    advice: 'start the command in another one',
  });
  return {
    ...found,
    covers: [...found.covers, ...folders.map((path) => ({ path, isWritable: true }) as const)],
  };
}

/** What arrives in the command's network goes to the relay of its own session. */
async function openWayOut({ listen }: Jail, { port, capturePorts }: ChildOffer): Promise<AsyncDisposable> {
  const limits = defaultLimits;
  const ports = entrancePorts(port, capturePorts, limits.capturePortsMax);
  const entrances = await listen?.(ports);
  if (entrances === undefined) throw new ProxyError('jail_refused', 'the jail has no network');
  const tunnel = throughRelay({ host: '127.0.0.1', port });
  return startCapture(entrances, { tunnel, limits, logger: silentLogger });
}

/** The session of whoever starts the command is not in it. */
function commandEnvironment(
  environment: Environment,
  { environment: own, replaces }: ChildOffer,
  isCaptured: boolean,
): Environment {
  const replaced = new Set([...replaces, relaySocketVariable, captureVariable]);
  const kept = Object.entries(environment).filter(([name]) => !replaced.has(name));
  return { ...Object.fromEntries(kept), ...own, ...(isCaptured ? { [captureVariable]: '1' } : {}) };
}

/** The command goes on, without a way out. */
function tellEnd({ ended }: AskedChild): void {
  void ended.then((fault) => {
    if (fault !== undefined)
      process.stderr.write(
        `upstreamproxy: the session of the command is over: ${fault.message} [${fault.code}]\n`,
      );
  });
}
