// How many processes of a gateway serve.

import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';

import type { GatewayConfig } from '../../gateway/config/config.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** What --workers says, or the configuration. Throws `usage` for what is no number of workers, `config_invalid` where they cannot be several. */
export function workerCount(
  config: Pick<GatewayConfig, 'workers' | 'store' | 'admin' | 'metrics'>,
  given?: string,
): number {
  const { workersMax } = defaultLimits;
  if (
    given !== undefined &&
    given !== 'auto' &&
    !(/^[1-9][0-9]?$/.test(given) && Number(given) <= workersMax)
  )
    throw new ProxyError('usage', `--workers is auto, or a number of processes from 1 to ${workersMax}`);
  const wanted = given === undefined || given === 'auto' ? (given ?? config.workers) : Number(given);
  const count = wanted === 'auto' ? Math.min(availableParallelism(), workersMax) : wanted;
  if (count > 1 && config.store === 'sqlite::memory:') {
    const message =
      'workers: each would have a store in memory of its own; write sqlite:path under store, or workers: 1';
    throw new ProxyError('config_invalid', message);
  }
  if (count > 1 && config.admin?.listen?.port === 0)
    throw new ProxyError(
      'config_invalid',
      'admin.listen.port: every worker has to know it; write one, or workers: 1',
    );
  if (count > 1 && config.metrics !== undefined && isIP(config.metrics.address) === 0)
    throw new ProxyError(
      'config_invalid',
      'metrics.address: every worker has to know it; write an IP address, or workers: 1',
    );
  if (count > 1 && process.versions['bun'] !== undefined)
    throw new ProxyError('config_invalid', 'workers: more than one needs Node; start the gateway by Node');
  return count;
}
