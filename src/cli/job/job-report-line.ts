// What `job begin` and the process that it leaves behind say to each other, on a descriptor of that process.

import type { PolicyForm } from '../run/embedded-gateway.ts';

export const reportFd = 3;
/** Where that process finds the session token that `job begin` inherited. */
export const tokenFd = 4;
/** `job begin` has printed the environment: from now on the session lasts. */
export const keptWord = 'kept\n';

/** One line of JSON. */
export type JobReport =
  | {
      readonly environment: Readonly<Record<string, string>>;
      readonly port: number;
      readonly form: PolicyForm | 'gateway';
    }
  | { readonly error: { readonly code: string; readonly message: string } };
