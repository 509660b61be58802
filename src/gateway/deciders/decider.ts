// What every decider is: it is asked one question, and says whether a request is allowed.

import type { Destination } from '../../http/destination.ts';
import type { HeaderList } from '../../http/header-list.ts';
import type { Principal } from '../../policy/decision.ts';

/** All that a decider is told. The same question has the same octets. */
export interface DeciderQuestion {
  readonly rule: string;
  readonly policyVersion: string;
  readonly principal: Principal;
  readonly request: {
    readonly method: string;
    readonly destination: Destination;
    readonly path: string;
    readonly query: string;
    readonly headers: HeaderList;
  };
  readonly body: QuestionBody;
  /** Asked about is what came for it. */
  readonly response?: QuestionResponse;
}

/** The beginning of a response, as it would go to the client. */
export interface QuestionResponse {
  readonly status: number;
  readonly headers: HeaderList;
  readonly excerpt: Uint8Array;
  /** The excerpt is all of it. */
  readonly isWhole: boolean;
}

/** `whole`: the octets as they go on, and what they say where that is JSON which every parser reads alike, as JSON again. */
export type QuestionBody =
  | { readonly kind: 'unseen' | 'none' }
  | { readonly kind: 'whole'; readonly octets: Buffer; readonly json?: string };

/** What a decider said. `undefined`: nothing, which allows nothing. */
export interface Verdict {
  readonly outcome: 'allowed' | 'denied' | 'undefined';
  /** Why, for the operator alone. */
  readonly said?: string;
  /** By which its own log has it. */
  readonly decisionId?: string;
  /** Request fields that it wants set and taken out, as it wrote them. */
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly removed: readonly string[];
  /** How long it lets this be used again; undefined: as long as the rule says. */
  readonly cacheMs?: number;
}

export interface Decider extends AsyncDisposable {
  /** Ends with the signal, which has its deadline too. @throws whatever kept it from saying anything */
  ask(question: DeciderQuestion, signal: AbortSignal, timeoutMs: number): Promise<Verdict>;
}

/** A decider said something that is not of its protocol. For the operator. */
export class DeciderFault extends Error {
  override readonly name = 'DeciderFault';
}
