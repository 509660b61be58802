// The log lines of a gateway process, on standard error. How many there are is bounded: what a stranger does to the gateway must not fill
// the disk of its log.

import type { GatewayConfig } from '../../gateway/config/config.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { TokenBucket } from '../../protocol/token-bucket.ts';
import { harmlessText, jsonLine } from '../terminal/text-table.ts';

export type LogLevel = 'info' | 'warn' | 'error';

export type GatewayLog = (level: LogLevel, message: string) => void;

export interface GatewayLogOptions {
  readonly write?: (line: string) => void;
  readonly clock?: () => number;
  readonly linesPerSecondMax?: number;
}

const rank: Readonly<Record<string, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Writes lines at or above the configured level, as text or JSON. Lines above the bound are counted and told once there is room. */
export function gatewayLog(settings: GatewayConfig['log'], options: GatewayLogOptions = {}): GatewayLog {
  const { write = (line: string): void => void process.stderr.write(line), clock = Date.now } = options;
  const { linesPerSecondMax = defaultLimits.logLinesPerSecondMax } = options;
  const least = rank[settings.level] ?? 1;
  const bucket = new TokenBucket(linesPerSecondMax, clock());
  let leftOut = 0;
  const line = (level: LogLevel, message: string): void => {
    const time = new Date(clock()).toISOString();
    // A line break in a message must not make a second line, nor anything else act on a terminal.
    const text = harmlessText(message.replaceAll(/[\r\n]+/g, '; '));
    write(settings.format === 'json' ? jsonLine({ time, level, message }) : `${time} ${level} ${text}\n`);
  };
  return (level, message) => {
    if ((rank[level] ?? 1) < least) return;
    if (bucket.take(linesPerSecondMax, clock()) > 0) {
      leftOut += 1;
      return;
    }
    if (leftOut > 0) line('warn', `${leftOut} log lines were left out (logLinesPerSecondMax)`);
    leftOut = 0;
    line(level, message);
  };
}
