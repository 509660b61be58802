// Services inside a machine of a cloud, from which its libraries have credentials: the gateway responds in their place, with placeholders. No
// secret is in any response, and the real service is never dialled.

/** A request to such a service. It came in plain HTTP to one of `hosts`, or to the gateway's own name. */
export interface EmulatedRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
  /** The one value of the field, in any letter case; undefined if it is absent or stands more than once. */
  readonly field: (name: string) => string | undefined;
  readonly body: string;
  readonly nowMs: number;
}

export interface EmulatedResponse {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What one credential has of that. */
export interface Emulation {
  /** Names and addresses of the service, on port 80; empty for one that is at the gateway's own name alone. */
  readonly hosts: readonly string[];
  /** By which libraries find it. */
  readonly variables: Readonly<Record<string, string>>;
  /** Undefined: the path is not of this one. */
  respond(request: EmulatedRequest): EmulatedResponse | undefined;
}

/** Whether the session can have a credential at all: of one that it cannot, nothing is told to it, not even who that is. */
export type IsFor = (credential: string) => boolean;

export class Emulations {
  readonly #all: readonly (readonly [credential: string, Emulation])[];
  /** Whose requests never leave the gateway, whoever asks. */
  readonly hosts: ReadonlySet<string>;

  constructor(all: readonly (readonly [credential: string, Emulation])[]) {
    this.#all = all;
    this.hosts = new Set(all.flatMap(([, { hosts }]) => hosts));
  }

  variables(isFor: IsFor): Readonly<Record<string, string>> {
    const own = this.#all.filter(([credential]) => isFor(credential));
    return Object.fromEntries(own.flatMap(([, { variables }]) => Object.entries(variables)));
  }

  get isEmpty(): boolean {
    return this.#all.length === 0;
  }

  /** The first that has the path; undefined: none has. */
  respond(request: EmulatedRequest, isFor: IsFor): EmulatedResponse | undefined {
    for (const [credential, one] of this.#all) {
      const response = isFor(credential) ? one.respond(request) : undefined;
      if (response !== undefined) return response;
    }
    return undefined;
  }
}
