// The options of the library's functions, checked: unknown names and values of another form are refused before anything happens.

import { ProxyError } from './error.ts';
import { suggestion } from './nearest-name.ts';

/** What a value has to be. `undefined` is as good as absent, whatever the form. */
export interface OptionForm {
  /** Completes "must be …". */
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

export const text: OptionForm = { expected: 'a text', accepts: (value) => typeof value === 'string' };
/** A secret: as bytes it can be cleared. */
export const tokenText: OptionForm = {
  expected: 'a text or bytes',
  accepts: (value) => typeof value === 'string' || value instanceof Uint8Array,
};
export const texts: OptionForm = {
  expected: 'a list of texts',
  accepts: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
};
export const flag: OptionForm = {
  expected: 'true or false',
  accepts: (value) => typeof value === 'boolean',
};
/** Of descriptors. */
export const count: OptionForm = {
  expected: 'a whole number from 0 on',
  accepts: (value) => Number.isInteger(value) && Number(value) >= 0,
};
export const callback: OptionForm = {
  expected: 'a function',
  accepts: (value) => typeof value === 'function',
};
export const thing: OptionForm = {
  expected: 'an object',
  accepts: (value) => typeof value === 'object' && value !== null,
};
export const relayPort: OptionForm = {
  expected: 'a port from 0 to 65535, or off',
  accepts: (value) => value === 'off' || (count.accepts(value) && Number(value) <= 65_535),
};

export function oneOf(...choices: readonly string[]): OptionForm {
  return {
    expected: choices.join(' or '),
    accepts: (value) => typeof value === 'string' && choices.includes(value),
  };
}

/** Throws config_invalid for the first option that `caller` does not have or whose value is of another form. Never quotes a value. */
export function requireKnownOptions(
  caller: string,
  options: unknown,
  forms: Readonly<Record<string, OptionForm>>,
): void {
  if (typeof options !== 'object' || options === null)
    throw new ProxyError('config_invalid', `${caller}: the options must be an object`);
  for (const [name, value] of Object.entries(options)) {
    const form = Object.hasOwn(forms, name) ? forms[name] : undefined;
    if (form === undefined)
      throw new ProxyError(
        'config_invalid',
        `${caller}: there is no option ${JSON.stringify(name.slice(0, 64))}${suggestion(name, Object.keys(forms))}`,
      );
    if (value !== undefined && !form.accepts(value))
      throw new ProxyError('config_invalid', `${caller}: ${name} must be ${form.expected}`);
  }
}
