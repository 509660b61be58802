// The log lines of a gateway process, on standard error.

import type { GatewayConfig } from '../../gateway/config/config.ts';
import { harmlessText, jsonLine } from '../terminal/text-table.ts';

export type LogLevel = 'info' | 'warn' | 'error';

const rank: Readonly<Record<string, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Writes lines at or above the configured level, as text or JSON. */
export function gatewayLog(
  settings: GatewayConfig['log'],
  write: (line: string) => void = (line) => void process.stderr.write(line),
): (level: LogLevel, message: string) => void {
  const least = rank[settings.level] ?? 1;
  return (level, message) => {
    if ((rank[level] ?? 1) < least) return;
    const time = new Date().toISOString();
    // A line break in a message must not make a second line, nor anything else act on a terminal.
    const text = harmlessText(message.replaceAll(/[\r\n]+/g, '; '));
    write(settings.format === 'json' ? jsonLine({ time, level, message }) : `${time} ${level} ${text}\n`);
  };
}
