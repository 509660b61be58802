// Hardening before any secret is touched: each step is done, then verified, and told as a fact.

import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { ProxyError } from '../../protocol/error.ts';
import type { Posture } from '../../protocol/session-messages.ts';
import { type Environment, inspectEnvironment } from './environment-scrub.ts';
import { type NativeOperations, openNative } from '../../system/ffi.ts';

/** What `setNonDumpable` did and found. */
export interface NonDumpable {
  /** Verified: `PR_GET_DUMPABLE` is 0 and /proc/self/environ no longer belongs to this user. */
  readonly nondumpable: boolean;
  /** `PR_GET_DUMPABLE` before the call was not 1: the kernel made the process so, at exec or by an earlier call. */
  readonly wasNondumpable: boolean;
  /** Why not, for a person; absent on success. */
  readonly reason?: string;
}

export interface HardenOptions {
  readonly environment: Environment;
  /** For tests: opens the operations of libc. */
  readonly openNative?: () => NativeOperations;
}

/** What `harden` did; ending it gives the process its signal handling back. */
export interface Hardening extends Disposable {
  readonly posture: Posture;
  /** Facts without which the token must not be read; empty if it may be. */
  readonly failures: readonly string[];
}

/**
 * Makes this process non-dumpable and verifies it: others of this user can no longer read its memory, environment
 * and descriptors. Linux only. Never throws; `reason` says what failed.
 */
export function setNonDumpable(open: () => NativeOperations = openNative): NonDumpable {
  try {
    using native = open();
    return clearAndVerify(native);
  } catch (error) {
    return { nondumpable: false, wasNondumpable: false, reason: messageOf(error) };
  }
}

/**
 * Hardens this process in the order that the token needs: environment, dumpable, tracer, core limit, inspector.
 * Never throws; the caller refuses to read the token if `failures` is not empty.
 */
export function harden(options: HardenOptions): Hardening {
  const notes: string[] = [];
  const findings = inspectEnvironment(options.environment);
  for (const name of findings.refused) notes.push(`environment: ${name} can run code in or read the agent`);
  const ignored = [...findings.removable, ...findings.reported];
  if (ignored.length > 0) notes.push(`environment: ${ignored.join(', ')} present; not used by the agent`);

  const native = hardenNative(options.openNative ?? openNative, notes);
  const inspector = closeInspector(notes);
  const posture: Posture = {
    runtime: process.versions['bun'] === undefined ? 'node' : 'bun',
    runtimeVersion: process.versions['bun'] ?? process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    ...native,
    inspectorClosed: inspector.closed,
    environmentClean: findings.refused.length === 0 && ignored.length === 0,
    jailed: false,
    uid: process.geteuid?.() ?? -1,
    notes,
  };
  return {
    posture,
    failures: failuresOf(posture, findings.refused),
    [Symbol.dispose]: inspector.restore,
  };
}

/** Throws hardening_failed with every reason, unless the hardening holds. */
export function requireHardened(hardening: Hardening): void {
  if (hardening.failures.length === 0) return;
  throw new ProxyError(
    'hardening_failed',
    `the session token was not read, for the agent could not harden itself: ${hardening.failures.join('; ')}`,
  );
}

function failuresOf(posture: Posture, refused: readonly string[]): string[] {
  const failures: string[] = [];
  if (refused.length > 0) failures.push(`start without ${refused.join(', ')} in the environment`);
  if (!posture.nondumpable)
    failures.push(posture.notes.find((note) => note.startsWith('dumpable')) ?? 'dumpable');
  if (!posture.untraced)
    failures.push('a debugger is attached to the agent (TracerPid), or that cannot be seen');
  if (!posture.coreLimitZero) failures.push('the core file limit could not be set to 0');
  if (!posture.inspectorClosed) failures.push('the inspector of the runtime is open');
  return failures;
}

type NativeFacts = Pick<Posture, 'nondumpable' | 'execOnly' | 'untraced' | 'coreLimitZero'>;

function hardenNative(open: () => NativeOperations, notes: string[]): NativeFacts {
  const facts = { nondumpable: false, execOnly: false, untraced: false, coreLimitZero: false };
  try {
    using native = open();
    const dumpable = clearAndVerify(native);
    facts.nondumpable = dumpable.nondumpable;
    if (dumpable.reason !== undefined) notes.push(`dumpable: ${dumpable.reason}`);
    // Both are needed: an unreadable executable that was started by a process with CAP_DAC_OVERRIDE comes up dumpable.
    facts.execOnly = dumpable.wasNondumpable && !executableReadable();
    if (!facts.execOnly) notes.push('exec-only: memory was open to this user from exec until now');
    // After prctl and before the token: a tracer that was attached earlier could switch dumpable on again.
    facts.untraced = tracerPid() === 0;
    if (!facts.untraced) notes.push('tracer: TracerPid is not 0 or cannot be read');
    native.clearCoreLimit();
    const [soft, hard] = native.coreLimit();
    facts.coreLimitZero = soft === 0n && hard === 0n;
    if (!facts.coreLimitZero) notes.push('core limit: not 0 after setrlimit');
  } catch (error) {
    notes.push(`dumpable: ${messageOf(error)}`);
  }
  return facts;
}

function clearAndVerify(native: NativeOperations): NonDumpable {
  const wasNondumpable = native.dumpable() !== 1;
  native.clearDumpable();
  const value = native.dumpable();
  if (value !== 0) {
    return {
      nondumpable: false,
      wasNondumpable,
      reason: `PR_GET_DUMPABLE says ${value} after PR_SET_DUMPABLE 0`,
    };
  }
  // The owner turns into root (or the overflow uid in a user namespace). /proc/self itself keeps ours, so it proves
  // nothing; for a root agent no owner can prove it.
  const uid = process.geteuid?.();
  if (uid !== 0 && statSync('/proc/self/environ').uid === uid) {
    return { nondumpable: false, wasNondumpable, reason: '/proc/self/environ still belongs to this user' };
  }
  return { nondumpable: true, wasNondumpable };
}

function executableReadable(): boolean {
  try {
    accessSync('/proc/self/exe', constants.R_OK);
    return true;
  } catch {
    // EACCES is the fact that was asked for.
    return false;
  }
}

function tracerPid(): number | undefined {
  const match = /^TracerPid:\s*(\d+)$/m.exec(readFileSync('/proc/self/status', 'latin1'));
  return match === null ? undefined : Number(match[1]);
}

/** An open inspector reads everything, whatever dumpable says; SIGUSR1 opens it in a Node without --disable-sigusr1. */
function closeInspector(notes: string[]): { readonly closed: boolean; readonly restore: () => void } {
  const ignore = (): void => {};
  // A handler of our own takes the signal away from the inspector, and keeps it from ending the process.
  process.on('SIGUSR1', ignore);
  const restore = (): void => void process.off('SIGUSR1', ignore);
  if (process.versions['bun'] !== undefined) {
    const open = process.execArgv.some((option) => option.startsWith('--inspect'));
    if (open) notes.push('inspector: started with --inspect');
    return { closed: !open, restore };
  }
  const open = process.getBuiltinModule('node:inspector').url() !== undefined;
  if (open) notes.push('inspector: open');
  else if (!process.execArgv.includes('--disable-sigusr1')) {
    notes.push('inspector: SIGUSR1 could open it until now; start Node with --disable-sigusr1');
  }
  return { closed: !open, restore };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
