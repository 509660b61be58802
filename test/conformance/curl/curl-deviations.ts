// Cases of curl's that come out otherwise through agent and gateway, and why they may.

import type { Deviations } from '../suite.ts';

export const curlDeviations: readonly Deviations[] = [
  {
    reason:
      'names in its Host field another host than the one it connects to (421), or one that is no full name',
    cases: '61 62 73 329 1121 1258 1561 1562 1563'.split(' '),
  },
  {
    reason: 'sends no Host, or an empty one',
    cases: '461 1292'.split(' '),
  },
  {
    reason:
      'sends what is no request of RFC 9112: a method in other letters, control octets or blanks in target or fields, a length beside chunks',
    cases: '17 60 469 470 1147 1298'.split(' '),
  },
  {
    reason:
      'sends a target that origins read differently (docs/reference/canonical-requests.md): a backslash, brackets that the gateway writes as octets, `*` to a proxy',
    cases: '214 487 1299'.split(' '),
  },
  {
    reason: 'sends a head over `headBytesMax`',
    cases: '56'.split(' '),
  },
  {
    reason: 'goes to an address that no rule of the suite allows',
    cases: '1293'.split(' '),
  },
  {
    reason: 'the origin folds lines of its head (RFC 9112 §5.2)',
    cases: '1274 1473'.split(' '),
  },
  {
    reason: 'the origin sends a status over 599',
    cases: '1429'.split(' '),
  },
  {
    reason: 'counts the fields of heads, which a proxy makes anew',
    cases: '3015'.split(' '),
  },
  {
    reason: 'the origin sends `gzip, chunked` and the like',
    cases: '319 1122 1123 1124 1125 1170 1171 1277 1493 1494'.split(' '),
  },
  {
    reason: 'the origin ends lines of its head by LF alone',
    cases:
      '4 6 7 9 10 11 14 24 25 26 27 28 32 33 34 35 44 45 47 48 49 50 51 52 54 55 57 58 59 71 74 77 78 86 89 99 151 152 163 173 180 181 186 187 188 189 197 198 199 249 260 269 274 276 277 281 282 292 293 300 301 304 308 309 327 328 334 338 341 342 343 344 345 349 355 361 364 365 366 367 368 369 371 376 379 383 384 385 386 391 393 395 410 430 431 432 434 457 463 471 473 477 490 491 492 495 669 679 681 682 683 684 685 722 727 730 732 733 734 735 1031 1032 1033 1067 1076 1109 1110 1111 1115 1118 1126 1127 1128 1134 1143 1148 1151 1157 1168 1205 1210 1231 1237 1239 1240 1290 1296 1310 1311 1312 1313 1315 1328 1332 1333 1367 1411 1417 1424 1438 1439 1457 1460 1466 1475 1487 1492 1497 1524 1566 1633 1634 1635 1670 1671 1680 1681 1682 1909 2005 2040 2073 2074 3014 3029 3030 3204'.split(
        ' ',
      ),
  },
];
