// What an error was caused by, as far as the system said it. Texts of other causes stay out: one may have a secret of its sender in it, which
// is why the error before has words of its own.

const causesShown = 5;

/** `ECONNREFUSED connect 127.0.0.1:5432`, the outermost first. */
export function causesOf(error: Error): readonly string[] {
  const causes: string[] = [];
  let cause: unknown = error.cause;
  for (let depth = 0; depth < causesShown && cause instanceof Error; depth += 1) {
    const text = systemCause(cause);
    if (text !== undefined) causes.push(text);
    cause = cause.cause;
  }
  return causes;
}

/** What errors of the system have beside their text. */
interface SystemFacts {
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly path?: unknown;
  readonly address?: unknown;
  readonly port?: unknown;
}

function systemCause(cause: Error & SystemFacts): string | undefined {
  const { code, syscall, path, address, port } = cause;
  if (typeof code !== 'string' || !/^[A-Z][A-Z0-9_]*$/.test(code)) return undefined;
  const place = typeof address === 'string' && typeof port === 'number' ? `${address}:${port}` : path;
  return [code, syscall, place].filter((part) => typeof part === 'string').join(' ');
}
