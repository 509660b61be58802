// A worker of a gateway: the process that `gateway` launches several times, and nobody else. It ends with its supervisor.

import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { type Gateway, startGateway } from '../../gateway/gateway.ts';
import { Passages } from '../../gateway/workers/passage.ts';
import type { WorkerStart } from '../../gateway/workers/worker-messages.ts';
import { WorkerSeat } from '../../gateway/workers/worker-seat.ts';
import { workerDefinition } from '../commands/inner-definitions.ts';
import { commandOf } from '../terminal/command.ts';
import { tuneEngine } from '../terminal/heap-setting.ts';
import { ignoreSignals } from '../terminal/shutdown-signal.ts';
import { outliveStandardError } from '../terminal/standard-error.ts';
import { type GatewayLog, gatewayLog } from './gateway-log.ts';
import { protectProcess } from './gateway-protection.ts';
import { launchSigner } from './launch-signer.ts';
import { channelToSupervisor } from './launch-worker.ts';

/** Lines of all workers together are bounded as those of one gateway. */
function workerLog({ config, number, workers }: WorkerStart): GatewayLog {
  const linesPerSecondMax = Math.max(1, Math.floor(defaultLimits.logLinesPerSecondMax / workers));
  const log = gatewayLog(config.log, { linesPerSecondMax });
  return (level, message) => log(level, `worker ${number}: ${message}`);
}

async function open(seat: WorkerSeat, start: WorkerStart, stack: AsyncDisposableStack): Promise<Gateway> {
  const log = workerLog(start);
  const { config, environment, passage, ...rest } = start;
  const passages = stack.use(new Passages(passage.folder, passage.secret));
  const { name } = passage;
  const place = { ...rest, seat, passages, name };
  const gateway = stack.use(await startGateway(config, { environment, log, place, launchSigner }));
  tuneEngine();
  return gateway;
}

async function gatewayWorker(): Promise<number> {
  const port = channelToSupervisor();
  if (port === undefined)
    throw new ProxyError('usage', 'gateway-worker is started by "upstreamproxy gateway"');
  // Before anything that is a secret comes over the channel.
  protectProcess((message) => process.stderr.write(`upstreamproxy: ${message}\n`));
  outliveStandardError();
  ignoreSignals();
  const started = Promise.withResolvers<WorkerStart>();
  const drained = Promise.withResolvers<number>();
  const orphaned = Promise.withResolvers<number>();
  port.onClosed(() => {
    // Whatever holds the process, it does not outlive its supervisor for long.
    setTimeout(() => process.exit(0), defaultLimits.closeTimeoutMs).unref();
    orphaned.resolve(0);
  });
  let gateway: Gateway | undefined;
  const seat = new WorkerSeat({
    port,
    onStart: started.resolve,
    onReload: () => void gateway?.reload(),
    onDrain: drained.resolve,
    counts: () => gateway?.counts(),
  });
  await using stack = new AsyncDisposableStack();
  const start = await Promise.race([started.promise, orphaned.promise]);
  if (typeof start === 'number') return 0;
  try {
    gateway = await open(seat, start, stack);
  } catch (error) {
    // The supervisor says it, once for all.
    const { code, message, exitCode } = asProxyError(error);
    seat.tellFailed(code, message);
    await orphaned.promise;
    return exitCode;
  }
  seat.tellReady();
  const drainMs = await Promise.race([drained.promise, orphaned.promise]);
  await gateway.close({ drainMs });
  return 0;
}

export const gatewayWorkerCommand = commandOf(workerDefinition, gatewayWorker);
