// Where and with what a bench ran, in one line.

import { spawnSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';

/** `program --version`'s first number, or undefined where it does not run. */
export function versionOf(program: string, argument = '--version'): string | undefined {
  const { stdout, stderr, status } = spawnSync(program, [argument], { encoding: 'utf8' });
  return status === 0 ? /\d+(?:\.\d+)+/.exec(stdout + stderr)?.[0] : undefined;
}

/** For instance: `2026-11-26, Node 26.10.0, squid 6.13, load by Bun 1.4.5, 2 × AMD EPYC, load average 0.3 at the start and 2.1 at the end`. */
export function machineLine(loadAtStart: number, parts: readonly string[]): string {
  const [first] = cpus();
  return [
    new Date().toISOString().slice(0, 10),
    `Node ${process.versions.node}`,
    ...parts,
    `${cpus().length} × ${first?.model.replace(/ \d+-Core Processor$/, '').trim() ?? 'processor'}`,
    `load average ${loadAtStart.toFixed(1)} at the start and ${loadNow().toFixed(1)} at the end`,
  ].join(', ');
}

export function loadNow(): number {
  return loadavg()[0] ?? Number.NaN;
}
