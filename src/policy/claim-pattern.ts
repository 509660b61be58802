// What a claim, or an argument, has to be.

export type ClaimValue = string | number | boolean;
/** What a claim must be: a value, one of several values, or a map of claims below it. */
export type ClaimPattern = ClaimValue | readonly ClaimValue[] | { readonly [claim: string]: ClaimPattern };
