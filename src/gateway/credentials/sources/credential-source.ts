// Where a credential's value comes from: an environment variable, a file, or a command.

import { defaultLimits } from '../../../protocol/limits.ts';
import type { PlainSourceConfig } from './source-config.ts';
import { open } from 'node:fs/promises';
import { ProxyError } from '../../../protocol/error.ts';
import { faultReason } from '../../../protocol/fault-reason.ts';
import { Secret } from '../../../protocol/secret.ts';
import { commandOutput } from '../../../system/command-output.ts';
import { type CommandValue, commandValueOf } from './command-value.ts';

/** `read` gives the current value. @throws ProxyError credential_unavailable */
export interface CredentialSource {
  read(nowMs: number): Promise<Secret<string>>;
  /** The value of this moment, whatever is remembered. Absent: `read` gives that. */
  readAnew?(nowMs: number): Promise<Secret<string>>;
  /** What stood beside this value in another field when it was read. Absent: a source has one value. */
  beside?(secret: Secret<string>, field: string): Secret<string>;
  /** Until it is let go, what was logged in with a value goes on. Absent: nothing of it ends. */
  hold?(): Disposable;
  /** An origin responded with 401 to this value. Absent: another read would give the same. */
  reject?(secret: Secret<string>, nowMs: number): void;
}

/** A secret is one line, or the lines of a PEM file. */
export type SecretForm = 'line' | 'pem';

/** Opens a source of this machine; `environment` is the start-up environment, read once. */
export function openCredentialSource(
  name: string,
  config: PlainSourceConfig,
  environment: Readonly<Record<string, string | undefined>>,
  form: SecretForm = 'line',
): CredentialSource {
  if ('env' in config) return environmentSource(name, config.env, { value: environment[config.env], form });
  if ('file' in config) return fileSource(name, config.file, form);
  return commandSource(name, config.command, form);
}

function environmentSource(
  name: string,
  variable: string,
  { value, form }: { readonly value: string | undefined; readonly form: SecretForm },
): CredentialSource {
  if (value === undefined || value.trim() === '') {
    throw new ProxyError(
      'config_invalid',
      `credential ${name}: the environment variable ${variable} is not set; set it for the gateway or use a file`,
    );
  }
  let secret: Secret<string>;
  try {
    secret = usableSecret(value, form);
  } catch (error) {
    // The reason is one of `usableSecret`, which has nothing of the value.
    const reason = error instanceof Error ? error.message : 'it is none';
    throw new ProxyError(
      'config_invalid',
      `credential ${name}: the environment variable ${variable} cannot be used: ${reason}`,
    );
  }
  return { read: () => Promise.resolve(secret) };
}

function fileSource(name: string, path: string, form: SecretForm): CredentialSource {
  let known: { readonly stamp: string; readonly secret: Secret<string> } | undefined;
  let checkedMs = Number.NEGATIVE_INFINITY;
  const readAnew = async (nowMs: number): Promise<Secret<string>> => {
    try {
      await using file = await open(path, 'r');
      const stat = await file.stat();
      const stamp = [stat.dev, stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs].join(':');
      if (known?.stamp !== stamp) {
        if (stat.size > defaultLimits.secretBytesMax)
          throw new Error(`it is larger than ${String(defaultLimits.secretBytesMax)} bytes`);
        known = { stamp, secret: usableSecret(await file.readFile('utf8'), form) };
      }
      checkedMs = nowMs;
      return known.secret;
    } catch (error) {
      throw unavailable(name, `the file ${path} cannot be used`, error);
    }
  };
  return {
    readAnew,
    read: (nowMs) =>
      known !== undefined && nowMs - checkedMs < defaultLimits.secretFileCheckMs
        ? Promise.resolve(known.secret)
        : readAnew(nowMs),
  };
}

function commandSource(name: string, command: readonly string[], form: SecretForm): CredentialSource {
  let known: (Omit<CommandValue, 'text'> & { readonly secret: Secret<string> }) | undefined;
  let running: Promise<Secret<string>> | undefined;
  let rejectedMs = Number.NEGATIVE_INFINITY;
  const run = async (nowMs: number): Promise<Secret<string>> => {
    let printed: string;
    try {
      printed = await commandOutput(command, {
        timeoutMs: defaultLimits.secretCommandTimeoutMs,
        bytesMax: defaultLimits.secretBytesMax,
      });
    } catch (error) {
      throw unavailable(name, `the command ${command[0] ?? ''} gave no value`, error);
    }
    try {
      const { text, renewAtMs, endsAtMs } = commandValueOf(printed, nowMs);
      known = { secret: usableSecret(text, form), renewAtMs, endsAtMs };
      return known.secret;
    } catch (error) {
      throw unavailable(name, `what the command ${command[0] ?? ''} prints cannot be used`, error);
    }
  };
  const start = (nowMs: number): Promise<Secret<string>> => {
    running ??= run(nowMs).finally(() => {
      running = undefined;
    });
    return running;
  };
  return {
    read: async (nowMs) => {
      const before = known;
      if (before !== undefined && nowMs < before.renewAtMs) return before.secret;
      try {
        return await start(nowMs);
      } catch (error) {
        if (before === undefined || nowMs >= before.endsAtMs) throw error;
        // It is asked again, and not by each request meanwhile.
        known = { ...before, renewAtMs: nowMs + defaultLimits.issuerFailureHoldWithValueMs };
        return before.secret;
      }
    },
    readAnew: async (nowMs) => {
      // One that runs began before this moment; whether it fails is its caller's to hear.
      await running?.catch(() => undefined);
      return start(nowMs);
    },
    reject: (secret, nowMs) => {
      if (known?.secret !== secret || nowMs - rejectedMs < defaultLimits.rejectionIntervalMs) return;
      rejectedMs = nowMs;
      known = { ...known, renewAtMs: nowMs };
    },
  };
}

/** The text as a secret, without white space around it. Throws for what is empty or would break a header field. */
export function usableSecret(text: string, form: SecretForm): Secret<string> {
  const value = text.trim();
  if (value === '') throw new Error('it is empty');
  if (form === 'pem') return new Secret(value);
  // eslint-disable-next-line no-control-regex -- a control character would end the header field
  if (/[\u0000-\u001f\u007f]/.test(value))
    throw new Error('it has a line break or another control character inside');
  return new Secret(value);
}

function unavailable(name: string, what: string, cause: unknown): ProxyError {
  const message = `credential ${name}: ${what}: ${faultReason(cause)}`;
  return new ProxyError('credential_unavailable', message, { cause });
}
