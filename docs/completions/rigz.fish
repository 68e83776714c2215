complete -c rigz -s S -l suffix -d 'use suffix SUF on compressed files' -r
complete -c rigz -s p -l processes -d 'use N threads (default: as many as there are processors)' -r
complete -c rigz -s b -l blocksize -d 'compress in chunks of N KiB (or Nk, Nm, Ng)' -r
complete -c rigz -l bits -d '' -r
complete -c rigz -l engine -d 'compress with auto (the default), rigz, libdeflate or zlib-ng' -r
complete -c rigz -s A -l alias -d 'use NAME for a zip entry from standard input' -r
complete -c rigz -s C -l comment -d 'put TEXT into the header as a comment' -r
complete -c rigz -s I -l iterations -d 'iterate N times with -11 (default: 15)' -r
complete -c rigz -s J -l maxsplits -d 'make at most N blocks of a chunk with -11 (default: 15; 0: no limit)' -r
complete -c rigz -s a -l ascii -d ''
complete -c rigz -s c -l stdout -l to-stdout -d 'write on standard output, keep original files unchanged'
complete -c rigz -s d -l decompress -l uncompress -d 'decompress'
complete -c rigz -s f -l force -d 'force overwrite of output file and compress links'
complete -c rigz -s h -l help -d 'give this help'
complete -c rigz -s k -l keep -d 'keep (don\'t delete) input files'
complete -c rigz -s l -l list -d 'list compressed file contents'
complete -c rigz -s L -l license -d 'display software license'
complete -c rigz -s n -l no-name -d 'do not save or restore the original name and timestamp'
complete -c rigz -s N -l name -d 'save or restore the original name and timestamp'
complete -c rigz -s m -l no-time -d 'do not save or restore the timestamp'
complete -c rigz -s T -d ''
complete -c rigz -s M -l time -d 'save or restore the timestamp'
complete -c rigz -s q -l quiet -l silent -d 'suppress all warnings'
complete -c rigz -s r -l recursive -d 'operate recursively on directories'
complete -c rigz -s R -l rsyncable -d 'make rsync-friendly archive'
complete -c rigz -s Y -l synchronous -d 'synchronous output (safer if system crashes, but slower)'
complete -c rigz -s t -l test -d 'test compressed file integrity'
complete -c rigz -s v -l verbose -d 'verbose mode'
complete -c rigz -s V -l version -d 'display version number'
complete -c rigz -s 1 -l fast -d 'compress faster'
complete -c rigz -s 9 -l best -d 'compress better (the default is -6)'
complete -c rigz -s 0 -d 'do not compress, only store'
complete -c rigz -s 2 -d ''
complete -c rigz -s 3 -d ''
complete -c rigz -s 4 -d ''
complete -c rigz -s 5 -d ''
complete -c rigz -s 6 -d ''
complete -c rigz -s 7 -d ''
complete -c rigz -s 8 -d ''
complete -c rigz -s i -l independent -d 'compress chunks independently, for damage recovery'
complete -c rigz -l bgzf -d 'write BGZF, as bgzip does'
complete -c rigz -s z -l zlib -d 'write the zlib format, to .zz files'
complete -c rigz -s K -l zip -d 'write the zip format with one entry, to .zip files'
complete -c rigz -s H -l huffman -d 'use only Huffman coding'
complete -c rigz -s U -l rle -d 'use only run-length and Huffman coding'
complete -c rigz -s O -l oneblock -d 'do not split chunks into blocks with -11'
complete -c rigz -s F -l first -d ''
complete -c rigz -s Z -l lzw -l LZW -d ''
