// Puts a secret where the workload put its placeholder: in the head, and in bodies if they are searched.

import type { HeldBodies } from '../request/held-bodies.ts';
import { bodyDigests, bodyFormOf, substituteInBody } from '../request/placeholder-body.ts';
import { hasPlaceholder, substitutePlaceholder } from '../request/placeholder.ts';
import type { HeadInjector } from './head-injection.ts';

export function placeholderInHead(placeholder: string): HeadInjector {
  return {
    applies: (head) => hasPlaceholder(head, placeholder),
    inject: (head, secret) => substitutePlaceholder(head, placeholder, secret),
  };
}

/** `held` is where bodies are held that are searched. */
export function placeholderAnywhere(placeholder: string, held: HeldBodies): HeadInjector {
  return {
    applies: (head, body) =>
      hasPlaceholder(head, placeholder) || (body !== undefined && bodyFormOf(head) !== undefined),
    inject: async (head, secret, body) => {
      const isInHead = hasPlaceholder(head, placeholder);
      const injected = isInHead ? substitutePlaceholder(head, placeholder, secret) : { head };
      const form = bodyFormOf(head);
      if (form === undefined || body === undefined) return injected;
      const { body: rewrite, isFound } = await substituteInBody(form, body, held, { placeholder, secret });
      // It was held and has none: it goes on as it came.
      if (isFound === false) return { ...injected, body: rewrite, isUnused: !isInHead };
      const headers = injected.head.headers.without(...bodyDigests);
      return { head: { ...injected.head, headers }, body: rewrite };
    },
  };
}
