// How an injector changes a request's body while it streams by: never the whole body in memory.

import type { Readable, Transform } from 'node:stream';

/** What is known of a body before it is read; `length` is undefined if it was not declared. */
export interface BodyFacts {
  readonly length: number | undefined;
  /** Whose request it is: what is held for one session must not keep another waiting. */
  readonly sessionId: string;
  /** Whether it is no longer what the client sends: an injector before this one rewrites it. */
  readonly isRewritten: boolean;
  /**
   * The body itself, for an injector that has to see it before the head can go out. Whoever opens it gives a rewrite
   * that is `isWhole`.
   */
  open(): Readable;
  /** Takes what has to be given back when the request is over, however it ends; giving back twice is harmless. */
  keep(release: () => void): void;
}

export interface BodyRewrite {
  /** Bytes that `rewrite` gives; undefined means chunked. */
  readonly length: number | undefined;
  /**
   * The body as it goes to the origin. What it finds wrong it says by destroying its stream with a ProxyError,
   * and it leaves the given body alone then: the client's connection still has to carry the refusal.
   */
  rewrite(body: Readable): Readable;
  /** It holds the whole body, which was opened before, and does not read its argument. */
  readonly isWhole?: boolean;
  /** It is not going to be used: gives back what it holds. */
  drop?(): void;
}

/** First `first`, then `second`, which saw what the first gives. */
export function chainRewrites(first: BodyRewrite | undefined, second: BodyRewrite): BodyRewrite {
  if (first === undefined) return second;
  if (second.isWhole === true) return second;
  return {
    length: second.length,
    rewrite: (body) => {
      const between = first.rewrite(body);
      const rewritten = second.rewrite(between);
      // Nobody else knows of it, and it may hold what has to be given back.
      rewritten.once('close', () => between.destroy());
      return rewritten;
    },
    drop: () => {
      first.drop?.();
      second.drop?.();
    },
  };
}

/**
 * Sends a body through a transform. A fault of the body is the transform's too; a fault of the transform leaves the
 * body alone, unlike `pipeline`, which would take the client's connection down with it.
 */
export function throughTransform(body: Readable, transform: Transform): Readable {
  const forwardFault = (error: Error): void => {
    transform.destroy(error);
  };
  body.once('error', forwardFault);
  if (body.errored !== null) forwardFault(body.errored);
  transform.once('error', () => {
    // It may break before anyone reads it; whoever does then looks at `errored`.
  });
  transform.once('close', () => {
    body.unpipe(transform);
    body.off('error', forwardFault);
  });
  return body.pipe(transform);
}
