// The process that `job begin` leaves behind: the agent, with a gateway of its own where none is named, until `job end`.

import { Socket } from 'node:net';
import { join } from 'node:path';

import { closeOnExec } from '../../agent/kernel/close-on-exec.ts';
import { isMarkAlive, processMark } from '../../agent/kernel/process-mark.ts';
import { initUpstreamProxy, type InitOptions, type UpstreamProxy } from '../../agent/init.ts';
import { asProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import {
  type AgentOptions,
  changesContainer,
  initOptions,
  ownCommand,
  readAgentOptions,
} from '../agent/agent-options.ts';
import { cleanUpAfterKill } from '../agent/cleanup-after-kill.ts';
import { displacedNames } from '../agent/displaced-note.ts';
import { jobSessionDefinition } from '../commands/job-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import type { EmbeddedGateway } from '../run/embedded-gateway.ts';
import { beginOwnGateway } from '../run/own-gateway.ts';
import { commandOf } from '../terminal/command.ts';
import { tuneEngine } from '../terminal/heap-setting.ts';
import { listenForShutdown } from '../terminal/shutdown-signal.ts';
import { outliveStandardError } from '../terminal/standard-error.ts';
import { type Environment, workloadEnvironment } from '../terminal/workload-environment.ts';
import { givenBack } from './given-back.ts';
import {
  type JobEnd,
  type JobRecord,
  removeJobFolder,
  trustName,
  writeJobEnd,
  writeJobRecord,
} from './job-folder.ts';
import { keptWord, reportFd, type JobReport } from './job-report-line.ts';

type Values = Input<typeof jobSessionDefinition>['options'];

/** How long streams may go on when the session ends. */
const drainMs = 1_000;

/** `job begin`, on the other end of a descriptor. */
class Beginner implements Disposable {
  readonly #socket = new Socket({ fd: reportFd, readable: true, writable: true });
  readonly #gone = new AbortController();
  /** Whether what was reported was printed; false if it is gone without having said so. */
  readonly kept: Promise<boolean>;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.kept = promise;
    let said = '';
    this.#socket.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('latin1')).slice(0, keptWord.length);
      if (said === keptWord) resolve(true);
    });
    this.#socket.on('error', () => {});
    this.#socket.once('close', () => {
      resolve(false);
      this.#gone.abort();
    });
  }

  /** Aborted when it is gone. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  report(report: JobReport): void {
    this.#socket.write(`${JSON.stringify(report)}\n`);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

interface Served {
  readonly proxy: UpstreamProxy;
  readonly embedded: EmbeddedGateway | undefined;
}

async function open(
  values: Values,
  options: AgentOptions,
  signal: AbortSignal,
  stack: AsyncDisposableStack,
): Promise<Served> {
  const { state, config, observe } = values;
  const policies = observe ? [] : (values.policy ?? []);
  const own =
    options.gatewayUrl === undefined
      ? stack.use(
          beginOwnGateway(
            options,
            { home: state, policies, config, observe, homes: undefined, console: undefined },
            signal,
          ),
        )
      : undefined;
  const embedded = await own?.ready;
  if (changesContainer(options)) stack.use(cleanUpAfterKill(ownCommand(), workloadEnvironment(process.env)));
  const proxy = stack.use(
    await initUpstreamProxy({
      ...initOptions(options),
      ...(embedded === undefined ? {} : ofEmbedded(embedded)),
      stateDirectory: join(state, trustName),
      onFailure: 'throw',
      signal,
    }),
  );
  return { proxy, embedded };
}

function ofEmbedded({ url, caPem, tokenFile }: EmbeddedGateway): InitOptions {
  return { gatewayUrl: url, gatewayCa: caPem, tokenFile };
}

/** All that the commands of the job get. */
function environmentOf({ env, displaced }: UpstreamProxy): Environment {
  return { ...env, ...displacedNames(displaced) };
}

function recordOf(values: Values, { gatewayUrl }: AgentOptions, { proxy, embedded }: Served): JobRecord {
  const environment = environmentOf(proxy);
  return {
    mark: processMark() ?? '',
    gatewayUrl,
    auditFile: embedded?.auditFile,
    policies: values.policy ?? [],
    config: values.config,
    form: embedded?.policy ?? 'gateway',
    givenBack: givenBack(environment, workloadEnvironment(process.env), proxy.caBundlePath ?? ''),
  };
}

/** Why it ends: `job end` asked it to; nobody is there any more who could; or before that. */
type Ending =
  | { readonly kind: 'asked' }
  | { readonly kind: 'abandoned' }
  | { readonly kind: 'early'; readonly why: string };

const asked: Ending = { kind: 'asked' };
const abandoned: Ending = { kind: 'abandoned' };
const early = (why: string): Ending => ({ kind: 'early', why });

/** Resolves with why the session is over. */
function endings(
  { proxy, embedded }: Served,
  values: Values,
  stack: DisposableStack,
): readonly Promise<Ending>[] {
  const { promise: late, resolve } = Promise.withResolvers<Ending>();
  const lifeMs = values.for ?? defaultLimits.jobSessionTimeoutMs;
  const timer = setTimeout(() => resolve(early(`its time was over, after ${lifeMs / 1000} s`)), lifeMs);
  stack.defer(() => clearTimeout(timer));
  const byGateway = proxy.ended.then((fault) =>
    early(`the gateway ended it: ${fault?.message ?? 'no reason'}`),
  );
  const all = [late, byGateway];
  if (embedded !== undefined) all.push(embedded.ended.then(() => early('the process of its gateway ended')));
  if (values.while !== undefined) all.push(endOf(values.while, stack));
  return all;
}

/** Of the job's own process: of another user, or of one whose end nobody waits for, there is no other sign. */
function endOf(pid: number, stack: DisposableStack): Promise<Ending> {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  const mark = processMark(pid);
  if (mark === undefined) return Promise.resolve(abandoned);
  const timer = setInterval(() => {
    if (!isMarkAlive(mark)) resolve(abandoned);
  }, defaultLimits.jobWatchIntervalMs);
  stack.defer(() => clearInterval(timer));
  return promise;
}

/** Serves, and returns why it ended. */
async function serve(values: Values, beginner: Beginner): Promise<Ending> {
  const options = await readAgentOptions({ ...values, 'on-failure': 'exit' }, process.env);
  if (options.tokenFd !== undefined) closeOnExec(options.tokenFd);
  using shutdown = listenForShutdown();
  await using stack = new AsyncDisposableStack();
  const cancel = AbortSignal.any([shutdown.signal, beginner.gone]);
  const served = await open(values, options, cancel, stack);
  const { proxy, embedded } = served;
  tuneEngine();
  await writeJobRecord(values.state, recordOf(values, options, served));
  beginner.report({
    environment: environmentOf(proxy),
    port: proxy.port,
    form: embedded?.policy ?? 'gateway',
  });
  if (!(await beginner.kept)) return abandoned;
  using watching = new DisposableStack();
  const ending = await Promise.race([
    shutdown.requested.then(() => asked),
    ...endings(served, values, watching),
  ]);
  const told = options.gatewayUrl === undefined ? undefined : await toldBy(proxy);
  await proxy.close({ drainMs });
  await embedded?.close();
  if (ending.kind !== 'abandoned')
    await writeJobEnd(values.state, { early: ending.kind === 'early' ? ending.why : undefined, told });
  return ending;
}

async function toldBy(proxy: UpstreamProxy): Promise<JobEnd['told']> {
  try {
    return await proxy.refusals();
  } catch (error) {
    process.stderr.write(
      `upstreamproxy: the gateway did not tell what it refused: ${asProxyError(error).message}\n`,
    );
    return undefined;
  }
}

async function jobSession({ options: values }: Input<typeof jobSessionDefinition>): Promise<number> {
  outliveStandardError();
  using beginner = new Beginner();
  let ending = abandoned;
  try {
    ending = await serve(values, beginner);
  } catch (error) {
    const { code, message } = asProxyError(error);
    beginner.report({ error: { code, message } });
    throw error;
  } finally {
    // Nobody is there who would take it away.
    if (ending.kind === 'abandoned') await removeJobFolder(values.state);
  }
  return 0;
}

export const jobSessionCommand = commandOf(jobSessionDefinition, jobSession);
