import * as feelin from 'feelin';

globalThis.feelin = feelin;
