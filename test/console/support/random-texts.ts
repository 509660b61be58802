// Texts of every kind of character, the same for the same seed: a library for that takes longer to load than these tests run.

import { seeded } from '../../support/seeded.ts';

const special = '-:"*,. >\'\\$`\n\t\0\u202e\u2066\u200b\u00ad\u0301\ud800\u3164';

export function randomTexts({
  seed,
  count,
  lengthMax,
}: {
  seed: number;
  count: number;
  lengthMax: number;
}): readonly string[] {
  const random = seeded(seed);
  const below = (max: number): number => Math.floor(random() * max);
  const unit = (): string => {
    switch (below(5)) {
      case 0:
        return special.charAt(below(special.length));
      case 1:
        return String.fromCodePoint(below(0x11_0000));
      case 2:
        return String.fromCharCode(below(0x3000));
      default:
        return String.fromCharCode(0x20 + below(0x5f));
    }
  };
  return Array.from({ length: count }, () => Array.from({ length: below(lengthMax + 1) }, unit).join(''));
}
