// What registries of tests serve: packages of two versions, of any age, and what is wrong with the newer one.

export interface ServedVersion {
  readonly version: string;
  readonly daysOut: number;
  /** The archive that comes is another one than metadata promises. */
  readonly isTampered?: () => boolean;
  /** The registry took it back, in the way in which it does that. */
  readonly isWithdrawn?: () => boolean;
}

export interface ServedPackage {
  readonly name: string;
  readonly versions: readonly ServedVersion[];
}

const dayMs = 86_400_000;

export const timeOut = ({ daysOut }: ServedVersion): string =>
  new Date(Date.now() - daysOut * dayMs).toISOString();

export const isGone = ({ isWithdrawn }: ServedVersion): boolean => isWithdrawn?.() === true;

/** Another text, of the same length. */
export const contentOf = ({ isTampered }: ServedVersion): string =>
  isTampered?.() === true ? 'tampered' : 'complete';
